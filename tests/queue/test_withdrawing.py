"""A frontend that gives up takes back what nobody has begun, and only that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from shared.errors import Busy, OrderUnresolved, TimedOut, WorkerDown
from shared.queue import arq_seam, scripts
from shared.queue.client import QueueLimits
from shared.queue.leavers import Leavers
from tests.queue.house import KEYS, TRADE, Desk, Held, asking, leading, until, working
from tests.queue.proxy import Proxy, name_of
from tests.queue.test_lost_words import port_of


async def test_a_caller_that_leaves_takes_its_queued_job_along(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held), slots=1) as worker, asking(valkey) as asker:
        running = asker.asks(1)
        await worker.desk.has_begun(1)
        queued = asker.asks(3)
        await asker.has_queued(3)
        queued[1].cancel()
        await asker.has_queued(2)
        held.released.set()
        await asyncio.gather(*running, queued[0], queued[2])
        assert len(worker.desk.begun) == 3


async def test_what_was_claimed_goes_on_when_its_caller_leaves_and_its_answer_stays(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held)) as worker, asking(valkey) as asker:
        (call,) = asker.asks(1, TRADE)
        await worker.desk.has_begun(1)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        held.released.set()

        async def nothing_claimed() -> bool:
            return await asker.claimed() == 0

        await until(nothing_claimed)
        assert len(worker.desk.ended) == 1
        job_id = KEYS.job_id(f"{_tag('alice')}t", worker.desk.begun[0].request_id)
        stored = await asker.store.get(arq_seam.RESULT + job_id)
        assert stored is not None
        assert worker.desk.begun[0].request_id in arq_seam.decode_result(stored)


async def test_a_query_that_runs_is_stopped_when_its_caller_leaves(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held)) as worker, asking(valkey) as asker:
        calls = asker.asks(2)
        await worker.desk.has_begun(2)
        calls[0].cancel()

        async def one_left() -> bool:
            return len(worker.jobs._held.tasks) == 1

        await until(one_left)
        held.released.set()
        await calls[1]
        assert len(worker.desk.ended) == 1


async def test_a_query_whose_caller_leaves_between_its_claim_and_its_first_step_is_accounted_for(
    valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave: list[Callable[[str], None]] = []

    async def hear(_: Leavers, heard: Callable[[str], None]) -> None:
        leave.append(heard)
        await asyncio.Event().wait()

    monkeypatch.setattr(Leavers, "hear", hear)
    async with leading(valkey, Desk(Held())) as worker, asking(valkey) as asker:
        begin = worker.jobs._begin

        def begin_and_leave(raw_id: bytes, payload: bytes, *, trades: bool) -> None:
            begin(raw_id, payload, trades=trades)
            leave[0](raw_id.decode())

        worker.jobs._begin = begin_and_leave  # type: ignore[method-assign]
        outcomes = await asyncio.gather(*asker.asks(3), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [TimedOut] * 3
        assert await asker.claimed() == 0


def _tag(caller: str) -> str:
    from shared.queue.client import caller_tag

    return caller_tag(caller)


async def test_a_queued_job_whose_time_is_over_was_certainly_not_begun(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held), slots=1, trade_slots=1) as worker, asking(valkey) as asker:
        running = [*asker.asks(1), *asker.asks(1, TRADE)]
        await worker.desk.has_begun(2)
        with pytest.raises(TimedOut, match="certainly nothing was sent"):
            await asker.ask(TRADE, seconds=-0.9)
        assert await asker.queued() == 0
        held.released.set()
        await asyncio.gather(*running)
        assert len(worker.desk.begun) == 2


async def test_a_begun_order_whose_time_is_over_is_unresolved_and_a_read_timed_out(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held)), asking(valkey) as asker:
        order, read = asker.asks(1, TRADE, seconds=-0.7)[0], asker.asks(1, seconds=-0.7)[0]
        with pytest.raises(OrderUnresolved):
            await order
        with pytest.raises(TimedOut):
            await read
        held.released.set()


async def test_a_queued_job_is_given_back_when_the_worker_goes(valkey: str) -> None:
    held = Held()
    async with asking(valkey) as asker:
        async with leading(valkey, Desk(held), slots=0) as worker:
            calls = asker.asks(3)
            await asker.has_queued(3)
            await worker.stop_serving()
        for call in calls:
            with pytest.raises(WorkerDown):
                await call
        assert await asker.queued() == 0
        with pytest.raises(WorkerDown):
            await asker.ask()


async def test_a_job_a_dead_worker_had_claimed_is_never_called_certainly_unbegun(valkey: str) -> None:
    """The next worker puts it back into the queue; between that and its own claim the frontend gives up."""
    held = Held()
    async with asking(valkey) as asker:
        async with leading(valkey, Desk(held)) as first:
            (order,) = asker.asks(1, TRADE, seconds=2)
            await first.desk.has_begun(1)
            await first.stop_serving()
            for task in first.jobs._held.tasks.values():
                task.cancel()
        async with working(valkey, slots=0, trade_slots=0) as second:
            await second.lease.held()
            assert await asker.queued() == 1
            with pytest.raises(OrderUnresolved):
                await order


async def test_withdrawing_is_one_step(valkey: str) -> None:
    """However often claim and withdrawal race, an order is either withdrawn or run."""
    async with leading(valkey) as worker, asking(valkey) as asker:
        withdraw = asker.store.script(scripts.WITHDRAW)
        said: dict[str, bytes] = {}

        async def race(steps: int) -> None:
            (call,) = asker.asks(1, TRADE)
            while not asker.client._replies._inboxes:  # noqa: ASYNC110 - the race is told in steps of the loop
                await asyncio.sleep(0)
            for _ in range(steps):
                await asyncio.sleep(0)
            for job_id in list(asker.client._replies._inboxes):
                said[job_id] = await withdraw(keys=[KEYS.queue, KEYS.callers, KEYS.wake], args=[job_id])
                if said[job_id] == b"WITHDRAWN":
                    call.cancel()
            await asyncio.gather(call, return_exceptions=True)

        for number in range(100):
            await race(number % 10)
        run = {envelope.request_id for envelope in worker.desk.begun}
        withdrawn = {job_id.rpartition(":")[2] for job_id, outcome in said.items() if outcome == b"WITHDRAWN"}
        assert not run & withdrawn
        assert len(run) + len(withdrawn) == 100


async def test_a_lone_query_that_was_withdrawn_is_shown_to_no_worker_after(valkey: str) -> None:
    async with asking(valkey) as asker, Redis.from_url(valkey) as admin:
        await admin.set(KEYS.heartbeat, "of one that just died", px=1000)
        with pytest.raises(WorkerDown, match="before it began"):
            await asker.ask()
        assert await admin.lrange(KEYS.wake, 0, -1) == [b"1"]
        async with leading(valkey) as worker:
            await asker.ask()
            assert len(worker.desk.begun) == 1


async def test_an_order_that_was_not_handed_over_in_time_is_not_said_to_be_with_the_worker(valkey: str) -> None:
    async with Proxy(port_of(valkey)) as proxy, leading(valkey) as worker, asking(proxy.url) as asker:
        await asker.ask(TRADE)
        proxy.hold_back(name_of(scripts.ENQUEUE))
        with pytest.raises(OrderUnresolved, match="not handed over in time"):
            await asker.ask(TRADE, seconds=0.1)
        assert len(worker.desk.begun) == 1


async def test_a_callers_count_heals_where_the_queue_was_lost(valkey: str) -> None:
    limits = QueueLimits(of_one_caller=2)
    async with leading(valkey, slots=0), asking(valkey, limits) as asker, Redis.from_url(valkey) as admin:
        calls = asker.asks(2)
        await asker.has_queued(2)
        await admin.delete(KEYS.queue)
        calls += asker.asks(2)
        await asker.has_queued(2)
        with pytest.raises(Busy):
            await asker.ask()
        for call in calls:
            call.cancel()
