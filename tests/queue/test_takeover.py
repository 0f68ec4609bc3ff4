"""One worker serves. When it goes, in whatever way, the next one takes over at once and accounts for what it left."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from shared.errors import OrderUnresolved, WorkerDown
from shared.queue import arq_seam, scripts
from shared.queue.lease import LEASE_SECONDS
from shared.redis_store import Store
from tests.queue.house import KEYS, TRADE, Desk, Held, asking, leading, until, working
from tests.queue.proxy import Proxy, name_of
from tests.queue.test_lost_words import port_of


@asynccontextmanager
async def child(url: str, name: str, *flags: str) -> AsyncIterator[Process]:
    """A worker in a process of its own, which leads."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.queue.child", url, name, *flags, stdout=PIPE
    )
    try:
        assert (await said(process)).startswith("leads")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(10):
        return (await process.stdout.readline()).decode().strip()


async def test_what_a_killed_worker_had_claimed_runs_at_the_next_one_without_waiting_for_its_mark(valkey: str) -> None:
    async with asking(valkey) as asker, Redis.from_url(valkey) as admin:
        async with child(valkey, "first", "hold") as first:
            calls = [*asker.asks(3), *asker.asks(1, TRADE)]
            for _ in calls:
                assert (await said(first)).startswith("begun")
            first.kill()
            await first.wait()
        marks = [key async for key in admin.scan_iter(f"{arq_seam.IN_PROGRESS}*")]
        assert len(marks) == 4, "the marks of the dead stand"
        async with leading(valkey, name="second") as second:
            answers = await asyncio.gather(*calls)
            assert second.lease.epoch == 2
            assert len(second.desk.begun) == len(answers) == 4
            assert second.lease._worker != "second", "no two processes have one name"


async def test_a_worker_killed_with_jobs_queued_loses_none_of_them(valkey: str) -> None:
    async with asking(valkey) as asker:
        async with child(valkey, "first", "hold") as first:
            calls = asker.asks(200)
            await asker.has_queued(200 - 64)
            first.kill()
            await first.wait()
        async with leading(valkey) as second:
            results = await asyncio.gather(*calls, return_exceptions=True)
            answered = [result for result in results if isinstance(result, dict)]
            refused = [result for result in results if isinstance(result, WorkerDown)]
            assert len(answered) + len(refused) == 200, "answered, or taken back by the frontend as never begun"
            assert len(answered) == len(second.desk.begun) >= 64


async def test_only_the_holder_of_the_lease_claims_and_the_stand_by_takes_over(valkey: str) -> None:
    async with asking(valkey) as asker, working(valkey, name="stand-by") as stand_by:
        # whoever is first leads; make sure of who that is
        await stand_by.lease.held()
        async with working(valkey, name="other") as other:
            await asyncio.gather(*asker.asks(20))
            assert len(stand_by.desk.begun) == 20
            assert other.desk.begun == []
            assert other.lease.holder == ""
            assert not other.lease.safe()
            for task in stand_by.tasks.values():
                task.cancel()
            await other.lease.held()
            await asker.ask()
            assert len(other.desk.begun) == 1
            assert other.lease.epoch == 2


async def test_a_stand_by_takes_no_wake_ups(valkey: str) -> None:
    async with leading(valkey) as leader, working(valkey, name="stand-by"), asking(valkey) as asker:
        leader.jobs._poller._on_due = lambda: None
        for _ in range(20):
            await asker.ask()
        assert asker.client.lookout.looks == 0


async def test_a_worker_cut_off_from_redis_may_not_trade_and_leaves_its_jobs_to_another(valkey: str) -> None:
    held = Held()
    async with (
        Proxy(port_of(valkey)) as proxy,
        leading(proxy.url, Desk(held), name="first") as first,
        asking(valkey) as asker,
        working(valkey, name="second") as second,
    ):
        calls = asker.asks(2)
        await first.desk.has_begun(2)
        proxy.cut()

        async def unsafe() -> bool:
            return not first.lease.safe()

        await until(unsafe, LEASE_SECONDS)
        await second.lease.held()
        await asyncio.gather(*calls)
        assert second.lease.epoch == 2
        assert len(second.desk.begun) == 2
        proxy.mend()

        async def stands_by() -> bool:
            return first.lease.holder == ""

        await until(stands_by)
        held.released.set()
        await asker.ask()
        assert len(second.desk.begun) == 3


async def test_a_lapse_of_its_own_lease_makes_a_worker_run_nothing_twice(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held)) as worker, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        calls = [*asker.asks(5), *asker.asks(2, TRADE)]
        await worker.desk.has_begun(7)
        await admin.delete(KEYS.lease)

        async def again() -> bool:
            return worker.lease.epoch == 2 and await asker.claimed() == 7

        await until(again)
        held.released.set()
        await asyncio.gather(*calls)
        await asker.ask()
        assert len(worker.desk.begun) == 8
        assert await asker.store.hash(KEYS.callers) == {}


async def test_answers_that_wait_for_redis_are_not_begun_again_when_the_lease_lapsed_meanwhile(valkey: str) -> None:
    held = Held()
    async with (
        Proxy(port_of(valkey)) as proxy,
        leading(proxy.url, Desk(held)) as worker,
        asking(valkey) as asker,
        Redis.from_url(valkey) as admin,
    ):
        calls = asker.asks(3)
        await worker.desk.has_begun(3)
        proxy.cut()
        held.released.set()  # the jobs end while their answers cannot be stored

        async def ended() -> bool:
            return len(worker.desk.ended) == 3

        await until(ended)
        await admin.delete(KEYS.lease)
        proxy.mend()
        await asyncio.gather(*calls)
        await asker.ask()
        assert len(worker.desk.begun) == 4


async def test_told_to_stop_a_worker_takes_nothing_new_finishes_what_runs_and_gives_the_lease_back(valkey: str) -> None:
    held = Held()
    async with asking(valkey) as asker:
        async with leading(valkey, Desk(held)) as first:
            running = asker.asks(3)
            await first.desk.has_begun(3)
            await first.stop_serving()
            queued = asker.asks(2)
            await asker.has_queued(2)
            draining = asyncio.create_task(first.jobs.drain(5))
            held.released.set()
            assert await draining == 0
            await asyncio.gather(*running)
            assert len(first.desk.begun) == 3
        assert await asker.store.get(KEYS.lease) is None
        async with leading(valkey, name="second") as second:
            results = await asyncio.gather(*queued, return_exceptions=True)
            # either the next worker was there in time, or the frontend had taken them back
            assert all(isinstance(result, dict | WorkerDown) for result in results)
            assert second.lease.epoch == 2


async def test_what_does_not_end_in_time_is_left_to_the_next_worker(valkey: str) -> None:
    async with asking(valkey) as asker:
        async with leading(valkey, Desk(Held())) as first:
            calls = asker.asks(2)
            await first.desk.has_begun(2)
            await first.stop_serving()
            assert await first.jobs.drain(0.05) == 2
        async with leading(valkey, name="second") as second:
            await asyncio.gather(*calls)
            assert len(second.desk.begun) == 2


async def test_draining_waits_until_the_last_answer_is_stored(valkey: str) -> None:
    async with Proxy(port_of(valkey)) as proxy, asking(valkey) as asker, leading(proxy.url) as worker:
        await asker.ask()
        proxy.lose_command(name_of(scripts.FINISH))
        (call,) = asker.asks(1)
        await proxy.lost.wait()
        await worker.stop_serving()
        worker.tasks["answers"].cancel()
        await asyncio.gather(worker.tasks["answers"], return_exceptions=True)
        assert await worker.jobs.drain(1) == 0
        await call


async def test_a_claimed_order_whose_worker_died_alone_ends_unresolved_and_in_time(valkey: str) -> None:
    async with asking(valkey) as asker:
        async with child(valkey, "only", "hold") as only:
            (order,) = asker.asks(1, TRADE, seconds=2)
            assert (await said(only)).startswith("begun")
            only.kill()
            await only.wait()
        with pytest.raises(OrderUnresolved):
            await order


async def test_epochs_only_grow_even_if_redis_forgets_them(valkey: str) -> None:
    async with leading(valkey) as worker, Redis.from_url(valkey) as admin:
        await admin.set(KEYS.epoch, 7)
        await admin.delete(KEYS.lease)

        async def eighth() -> bool:
            return worker.lease.epoch == 8

        await until(eighth)
        await admin.flushall()

        async def ninth() -> bool:
            return worker.lease.epoch == 9

        await until(ninth)
    store = Store.at(valkey)
    assert await store.get(KEYS.lease) is None
    await store.close()
