"""After everything, neither Redis nor a process keeps anything of it."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import fakeredis
from redis.asyncio import Redis

from shared.queue import arq_seam
from shared.queue.client import JobClient
from shared.queue.lease import Lease
from shared.queue.worker import JobWorker
from shared.redis_store import Store
from tests.queue.house import KEYS, SECRET, SHARED, TRADE, Asker, Desk, Held, asking, leading, say_two_things


async def every_fate(valkey: str) -> None:
    """Jobs that are answered, shared, refused, withdrawn, timed out and left behind."""
    held = Held()
    async with leading(valkey, Desk(say_two_things), slots=4) as worker, asking(valkey) as asker:
        await asyncio.gather(*asker.asks(50), *asker.asks(10, TRADE), *asker.asks(5, SHARED))
        worker.desk.play = held
        begun = len(worker.desk.begun)
        calls = asker.asks(4)
        await worker.desk.has_begun(begun + 4)
        calls += asker.asks(4, seconds=-0.9)
        calls += (leaving := asker.asks(4))
        await asker.has_queued(8)
        for call in (calls[0], *leaving):
            call.cancel()
        await asker.has_queued(0)
        held.released.set()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_every_key_left_in_redis_expires_by_itself_but_the_epoch(valkey: str) -> None:
    await every_fate(valkey)
    async with Redis.from_url(valkey) as admin:
        left = {key.decode(): await admin.pttl(key) async for key in admin.scan_iter("*")}
    assert [key for key, ttl in left.items() if ttl < 0] == [KEYS.epoch]
    kinds = Counter(key.partition(":main:")[0] for key in left)
    assert not kinds["arq:job"], "no job without an answer"
    assert not kinds["arq:in-progress"]
    assert all(ttl <= 120_000 for ttl in left.values())


async def test_the_processes_remember_no_job(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker:
        await asyncio.gather(*asker.asks(500))
        await asker.ask(TRADE)
        client, held = asker.client, worker.jobs._held
        assert not client._replies._inboxes
        assert not client.lookout._watched
        assert not client._leaving
        assert not any(box._waiting for box in client._outboxes.values())
        await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
        assert not held.tasks
        answers = worker.jobs.answers
        assert (len(answers), answers._finished) == (0, [])
        assert len(answers._stored_since_claim) <= 80, "of the last batch only"


async def test_a_thousand_jobs_later_no_more_objects_are_alive(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker:

        async def some(count: int) -> int:
            for _ in range(count // 50):
                await asyncio.gather(*asker.asks(50))
            worker.desk.begun.clear()
            worker.desk.ended.clear()
            await asker.ask()
            gc.collect()
            return len(gc.get_objects())

        before = await some(200)
        assert await some(1000) < before + 300


async def test_the_queue_works_on_fakeredis() -> None:
    server = fakeredis.FakeServer()
    stores = [Store(fakeredis.FakeAsyncRedis(server=server)) for _ in range(2)]
    lease = Lease(stores[0], KEYS, "worker")
    desk = Desk()
    worker = JobWorker(stores[0], KEYS, lease, desk)
    client = JobClient(stores[1], KEYS, SECRET)
    work = (lease.keep(), worker.run(), worker.answers.keep(), client.run())
    tasks = [asyncio.create_task(one) for one in work]
    await lease.held()
    asker = Asker(client, stores[1])
    await asyncio.gather(*asker.asks(20), *asker.asks(3, TRADE))
    assert len(desk.begun) == 23
    assert await stores[1].get(arq_seam.JOB + "main:x:1") is None
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for store in stores:
        await store.close()
