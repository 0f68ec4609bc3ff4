"""A query that finds nothing else in the queue is begun as soon as the worker wakes; the queue stays the truth."""

from __future__ import annotations

import asyncio
import logging
import pickle
import time

import pytest
from redis.asyncio import Redis

from shared.errors import WorkerDown
from shared.queue import scripts
from tests.queue.house import KEYS, READ, TRADE, Desk, Held, asking, leading, until

SHOWN = "main:0:by-hand"


async def nobody_serves(admin: Redis, *, milliseconds: int = 30_000) -> None:
    """As if a worker served that takes nothing out of the queue."""
    await admin.set(KEYS.heartbeat, "worker:1", px=milliseconds)


async def wake_ups(admin: Redis) -> list[bytes]:
    """What the wake list holds, as soon as it holds something."""

    async def there() -> bool:
        return bool(await admin.exists(KEYS.wake))

    await until(there)
    entries: list[bytes] = await admin.lrange(KEYS.wake, 0, -1)  # type: ignore[misc]
    return entries


async def test_it_is_begun_unclaimed_and_claimed_when_it_lasts(valkey: str) -> None:
    held = Held()
    claimed_at_first: list[int] = []

    async def play(*job: object) -> None:
        claimed_at_first.append(await asker.claimed())
        await held.released.wait()

    async with asking(valkey) as asker, leading(valkey, Desk(play), slots=1) as worker:
        worker.jobs._poller._on_due = lambda: None
        (call,) = asker.asks(1)

        async def claimed() -> bool:
            return await asker.claimed() == 1

        await until(claimed)
        assert claimed_at_first == [0]
        held.released.set()
        await call
        assert len(worker.desk.begun) == 1, "its claim did not begin it again"


async def test_what_comes_next_hides_it_and_both_run_once(valkey: str) -> None:
    async with Redis.from_url(valkey) as admin, asking(valkey) as asker:
        await nobody_serves(admin)
        first = asker.asks(1)
        (shown,) = await wake_ups(admin)
        assert shown.startswith(KEYS.session.encode())
        second = asker.asks(1)
        await asker.has_queued(2)
        assert await wake_ups(admin) == [scripts.WAKE_UP.encode()]
        async with leading(valkey) as worker:
            await asyncio.gather(*first, *second)
            assert len(worker.desk.begun) == 2


@pytest.mark.parametrize(("count", "operation"), [(1, TRADE), (2, READ)])
async def test_orders_and_several_at_once_are_not_shown(valkey: str, count: int, operation: str) -> None:
    async with Redis.from_url(valkey) as admin, asking(valkey) as asker:
        await nobody_serves(admin)
        calls = asker.asks(count, operation)
        assert await wake_ups(admin) == [scripts.WAKE_UP.encode()]
        async with leading(valkey):
            await asyncio.gather(*calls)


async def test_if_the_worker_that_saw_it_is_dead_the_next_runs_it(valkey: str) -> None:
    async with Redis.from_url(valkey) as admin, asking(valkey) as asker:
        await nobody_serves(admin)
        calls = asker.asks(1)
        await wake_ups(admin)
        await admin.delete(KEYS.wake)
        async with leading(valkey) as worker:
            await asyncio.gather(*calls)
            assert len(worker.desk.begun) == 1


async def test_if_the_worker_that_saw_it_is_dead_and_no_other_comes_the_caller_is_told(valkey: str) -> None:
    async with Redis.from_url(valkey) as admin, asking(valkey) as asker:
        await nobody_serves(admin, milliseconds=300)
        (call,) = asker.asks(1)
        await wake_ups(admin)
        await admin.delete(KEYS.wake)
        with pytest.raises(WorkerDown):
            await call


async def test_a_worker_unsure_of_its_lease_begins_nothing_it_has_not_claimed(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        await asker.ask()
        begun: list[object] = []
        worker.jobs._begin = lambda *job, **_: begun.append(job)  # type: ignore[method-assign]
        worker.tasks["lease"].cancel()
        worker.lease._renewed_at = float("-inf")
        await admin.rpush(KEYS.wake, SHOWN + " payload")

        async def taken() -> bool:
            return not await admin.exists(KEYS.wake)

        async def worker_looks() -> bool:
            return worker.jobs._look.is_set()

        await until(taken)
        await until(worker_looks)
        assert not begun


@pytest.mark.parametrize(
    "payload",
    [pickle.dumps({"f": "call"}), b"{", b"\xff", b"", b"x" * (scripts.MOST_BYTES + 1)],
    ids=["a pickle", "cut short", "not text", "nothing", "too large"],
)
async def test_what_somebody_puts_on_the_wake_list_is_refused_and_the_worker_lives(
    valkey: str, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with leading(valkey) as worker, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        for entry in (payload, b" " + payload, SHOWN.encode() + b" " + payload):
            await admin.rpush(KEYS.wake, entry)
        await admin.zadd(KEYS.queue, {"main:nobody:1": time.time() * 1000})
        await asker.ask()
        await asker.ask()
        assert len(worker.desk.begun) == 2
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
