"""Redis goes away and comes back, idle and under load, with its file and without: both processes live through it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.errors import QueueDown, WorkerDown
from tests.queue.house import TRADE, Asker, Desk, Held, asking, leading, subscribed, until
from tests.queue.servers import Restartable, restartable


@pytest.fixture(params=[True, False], ids=["with its file", "without"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Restartable]:
    async with restartable(durable=request.param) as one:
        yield one


async def served(asker: Asker) -> None:
    """Return when calls are answered again; until then they are refused as not done."""
    async with asyncio.timeout(8):
        while True:
            try:
                await asker.ask()
            except (QueueDown, WorkerDown):
                await asyncio.sleep(0.02)  # an agent would wait seconds
            else:
                return


async def test_idle_both_sides_recover_and_are_as_quick_as_before(server: Restartable) -> None:
    async with leading(server.url) as worker, asking(server.url) as asker:
        await asker.ask()
        await asker.ask(TRADE)
        await server.restart()
        await served(asker)
        await until(lambda: subscribed(asker.store, asker.client))
        looks = asker.client.lookout.looks
        for _ in range(10):
            await asker.ask()
        assert asker.client.lookout.looks <= looks + 1
        await asker.ask(TRADE)
        assert worker.lease.safe()


async def test_while_it_is_away_a_call_is_refused_and_certainly_not_done(server: Restartable) -> None:
    async with leading(server.url) as worker, asking(server.url) as asker:
        await asker.ask()
        await server.kill()
        with pytest.raises(QueueDown):
            await asker.ask()
        with pytest.raises(QueueDown, match="not handed over"):
            await asker.ask(TRADE)
        await server.start()
        await served(asker)
        assert TRADE not in worker.desk.operations


async def test_a_call_at_the_gateway_is_not_dropped(server: Restartable) -> None:
    held = Held()
    async with leading(server.url, Desk(held)) as worker, asking(server.url) as asker:
        calls = [*asker.asks(3), *asker.asks(2, TRADE)]
        await worker.desk.has_begun(5)
        await server.restart()
        held.released.set()
        answers = await asyncio.gather(*calls)
        assert {answer["request_id"] for answer in answers} == {one.request_id for one in worker.desk.ended}
        assert worker.desk.operations.count(TRADE) == 2


async def test_a_call_that_ends_while_it_is_away_is_answered_when_it_is_back(server: Restartable) -> None:
    held = Held()
    async with leading(server.url, Desk(held)) as worker, asking(server.url) as asker:
        calls = [*asker.asks(2), *asker.asks(1, TRADE)]
        await worker.desk.has_begun(3)
        await server.kill()
        held.released.set()

        async def ended() -> bool:
            return len(worker.desk.ended) == 3

        await until(ended)
        await server.start()
        await asyncio.gather(*calls)
        assert len(worker.desk.begun) == 3


async def test_reads_that_were_queued_are_answered_whether_redis_remembers_them_or_not(server: Restartable) -> None:
    held = Held()
    async with leading(server.url, Desk(held), slots=2) as worker, asking(server.url) as asker:
        calls = asker.asks(50)
        await worker.desk.has_begun(2)
        await asker.has_queued(48)
        await server.restart()
        held.released.set()
        answers = await asyncio.gather(*calls)
        assert len({answer["request_id"] for answer in answers}) == 50
        assert len(worker.desk.begun) == 50, "none ran twice"


async def test_under_load_every_call_is_answered_or_refused_as_not_done(server: Restartable) -> None:
    async with leading(server.url) as worker, asking(server.url) as asker:
        answered, refused = 0, 0
        stop = asyncio.Event()

        async def keep_asking() -> None:
            nonlocal answered, refused
            while not stop.is_set():
                try:
                    await asker.ask()
                    answered += 1
                except (QueueDown, WorkerDown):
                    refused += 1
                    await asyncio.sleep(0.02)

        load = [asyncio.create_task(keep_asking()) for _ in range(16)]
        for _ in range(2):
            before = answered

            async def going(before: int = before) -> bool:
                return answered > before + 50

            await until(going)
            await server.restart()
        before = answered
        await until(going)
        stop.set()
        await asyncio.gather(*load)
        assert answered <= len(worker.desk.begun)
