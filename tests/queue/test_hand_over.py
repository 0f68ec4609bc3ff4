"""A query that finds the queue empty and the worker idle is handed over at once, as safe as any other."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis

from shared.errors import WorkerDown
from shared.queue import scripts
from tests.queue.house import KEYS, TRADE, Desk, Held, Worker, asking, leading, until
from tests.queue.proxy import Proxy, name_of
from tests.queue.test_lost_words import port_of


def claims_of(worker: Worker) -> list[int]:
    """Filled with an entry for each claim from now on."""
    claims: list[int] = []
    claim = worker.jobs._claim

    async def counted(**given: Any) -> Any:
        claims.append(1)
        return await claim(**given)

    worker.jobs._claim = counted  # type: ignore[assignment]
    return claims


async def test_one_question_after_the_other_needs_no_claim(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker:
        await asker.ask()
        claims = claims_of(worker)
        for _ in range(20):
            await asker.ask()
        assert len(claims) <= 2, "but for the polls"
        assert len(worker.desk.begun) == 21


async def test_an_order_is_always_claimed_under_the_lease(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker:
        await asker.ask()
        claims = claims_of(worker)
        for _ in range(3):
            await asker.ask(TRADE)
        assert len(claims) >= 3


async def test_nothing_is_handed_to_a_worker_that_runs_something(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held), slots=1) as worker, asking(valkey) as asker:
        calls = asker.asks(1)
        await worker.desk.has_begun(1)
        calls += asker.asks(2)
        await asker.has_queued(2)
        held.released.set()
        await asyncio.gather(*calls)


async def test_a_job_lost_on_the_way_to_the_idle_worker_runs_once_and_at_once(valkey: str) -> None:
    async with Proxy(port_of(valkey)) as proxy, leading(proxy.url) as worker, asking(valkey) as asker:
        await asker.ask()
        proxy.lose_reply_to(b"BLPOP")
        answer = await asker.ask()
        assert proxy.lost.is_set()
        assert [envelope.request_id for envelope in worker.desk.begun[1:]] == [answer["request_id"]]
        assert worker.lease.epoch == 1


async def test_a_lost_reply_to_enqueueing_hands_over_once(valkey: str) -> None:
    async with Proxy(port_of(valkey)) as proxy, leading(valkey) as worker, asking(proxy.url) as asker:
        await asker.ask()
        proxy.lose_reply_to(name_of(scripts.ENQUEUE))
        await asker.ask()
        assert len(worker.desk.begun) == 2


async def test_what_was_handed_to_a_worker_that_stops_goes_back_as_never_begun(valkey: str) -> None:
    async with asking(valkey) as asker, Redis.from_url(valkey) as admin:
        async with leading(valkey) as first:
            await asker.ask()
            await first.stop_serving()
            (call,) = asker.asks(1)

            async def handed_over() -> bool:
                return await asker.claimed() == 1

            await until(handed_over)
            assert len(first.desk.begun) == 1
        async with leading(valkey, name="second") as second:
            await asyncio.wait([call])
            assert isinstance(call.exception(), WorkerDown) or len(second.desk.begun) == 1
        assert not [key async for key in admin.scan_iter(KEYS.wake + "*")]


async def test_a_new_term_of_the_same_worker_is_handed_jobs_under_its_new_name_at_once(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        await asker.ask()
        await admin.delete(KEYS.lease)

        async def second_term() -> bool:
            return worker.lease.epoch == 2

        await until(second_term)
        await asker.ask()
        looks = asker.client.lookout.looks
        for _ in range(10):
            await asker.ask()
        assert asker.client.lookout.looks == looks


async def test_noise_on_the_lists_the_worker_waits_on_disturbs_nobody(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        await asker.ask()
        for noise in (b"", b"\xff\xfe", b"no line", b"main:x:1\nnot a job", b"\n\n"):
            await admin.rpush(KEYS.wake, noise)
            await admin.rpush(KEYS.handed_over(worker.lease.holder), noise)
        await asyncio.gather(*asker.asks(5))
        assert len(worker.desk.begun) == 6
