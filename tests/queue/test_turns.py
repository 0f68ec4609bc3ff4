"""Who comes first, and who is refused: orders before queries, one caller's flood before nobody else."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.errors import Busy
from shared.queue import scripts
from shared.queue.client import QueueLimits
from shared.queue.lanes import CLAIM_AT_ONCE
from tests.queue.house import KEYS, PATIENCE, READ, TRADE, Desk, Held, asking, is_trade, leading, until


async def gathered(calls: list[asyncio.Task[dict[str, Any]]]) -> list[dict[str, Any] | BaseException]:
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_an_order_behind_a_thousand_queries_waits_for_one_batch_at_most(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held)) as worker, asking(valkey) as asker:
        queries = asker.asks(1000)
        await worker.desk.has_begun(64)
        await asker.has_queued(1000 - 64)
        order = asyncio.create_task(asker.ask(TRADE))
        await worker.desk.has_begun(65)
        assert is_trade(worker.desk.begun[64]), "it has slots of its own: it began while every query slot was taken"
        held.released.set()
        await asyncio.gather(order, *queries)


async def test_an_order_queued_behind_queries_is_in_the_first_batch(valkey: str) -> None:
    async with leading(valkey, slots=1) as first, asking(valkey) as asker:
        held = first.desk.play = Held()
        calls = asker.asks(1)
        await first.desk.has_begun(1)
        calls += asker.asks(200)
        await asker.has_queued(200)
        calls += asker.asks(1, TRADE)
        await first.desk.has_begun(2)
        assert is_trade(first.desk.begun[1])
        held.released.set()
        await asyncio.gather(*calls)


async def test_an_order_put_in_while_a_batch_begins_comes_before_all_that_is_not_claimed_yet(valkey: str) -> None:
    queued = threading.Event()

    async def put_an_order() -> None:
        async with asking(valkey) as asker:
            (order,) = asker.asks(1, TRADE)

            async def waits() -> bool:
                return await asker.store.count_between(KEYS.queue, 0, scripts.LANE_BOUNDARY) == 1

            await until(waits)
            queued.set()
            await order

    elsewhere = threading.Thread(target=asyncio.run, args=(put_an_order(),))

    async def play(*_: object) -> None:
        if not queued.is_set():
            elsewhere.start()
            assert queued.wait(PATIENCE)  # the worker does nothing else meanwhile

    async with Redis.from_url(valkey) as admin, asking(valkey) as asker:
        await admin.set(KEYS.heartbeat, "worker:1", px=30_000)
        queries = asker.asks(4 * CLAIM_AT_ONCE)
        await asker.has_queued(4 * CLAIM_AT_ONCE)
        async with leading(valkey, Desk(play)) as worker:
            await asyncio.gather(*queries)
            await asyncio.to_thread(elsewhere.join, PATIENCE)
            assert worker.desk.operations.index(TRADE) == CLAIM_AT_ONCE


async def test_a_full_lane_is_refilled_until_the_queue_is_empty_without_waiting_for_a_poll(valkey: str) -> None:
    async def a_little_later(*_: object) -> None:
        for _turn in range(5):
            await asyncio.sleep(0)

    async with leading(valkey, Desk(a_little_later), slots=3) as worker, asking(valkey) as asker:
        looks: list[int] = []
        worker.jobs._poller._on_due = lambda: looks.append(1)
        await asyncio.gather(*asker.asks(300))
        assert len(worker.desk.begun) == 300
        assert worker.jobs._look.is_set() is False


async def test_one_callers_flood_does_not_starve_anothers_single_question(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held), slots=8) as worker, asking(valkey) as asker:
        flood = asker.asks(1000, caller="flood")
        await worker.desk.has_begun(8)
        await asker.has_queued(992)
        single = asyncio.create_task(asker.ask(caller="single"))
        await asker.has_queued(993)
        held.released.set()
        await single
        place = [envelope.caller for envelope in worker.desk.begun].index("single")
        assert place <= 16, f"it began as number {place}"
        await asyncio.gather(*flood)


@pytest.mark.parametrize("operation", [READ, TRADE])
async def test_one_callers_slow_flood_leaves_slots_to_others(valkey: str, operation: str) -> None:
    held = Held()
    options = {"slots": 8, "trade_slots": 8, "of_one_caller": 6}
    limits = QueueLimits(trades=1_000, trades_of_one_caller=1_000)
    async with leading(valkey, Desk(held), **options) as worker, asking(valkey, limits) as asker:
        flood = asker.asks(300, operation, caller="flood")
        await worker.desk.has_begun(6)
        others = [*asker.asks(1, operation, caller="one"), *asker.asks(1, operation, caller="two")]
        await worker.desk.has_begun(8)
        assert sorted(envelope.caller for envelope in worker.desk.begun[6:]) == ["one", "two"]
        held.released.set()
        await asyncio.gather(*flood, *others)
        assert len(worker.desk.begun) == 302
        assert not any(lane.running_of for lane in worker.jobs._lanes.both)


async def test_two_floods_take_turns(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held), slots=1) as worker, asking(valkey) as asker:
        one, two = asker.asks(101, caller="one"), []
        await worker.desk.has_begun(1)
        await asker.has_queued(100)
        two = asker.asks(50, caller="two")
        await asker.has_queued(150)
        held.released.set()
        await asyncio.gather(*one, *two)
        first_half = [envelope.caller for envelope in worker.desk.begun[:101]]
        assert first_half.count("two") == 50


async def test_past_the_depth_a_query_is_refused_at_once_and_an_order_is_not(valkey: str) -> None:
    held = Held()
    limits = QueueLimits(queries=10, trades=2, of_one_caller=1000)
    async with leading(valkey, Desk(held), slots=1, trade_slots=1) as worker, asking(valkey, limits) as asker:
        calls = asker.asks(1)
        await worker.desk.has_begun(1)
        await asker.has_queued(0)
        calls += asker.asks(10)
        await asker.has_queued(10)
        with pytest.raises(Busy) as refused:
            await asker.ask(READ, caller="another")
        assert refused.value.retry == "after 2 s"
        calls += asker.asks(1, TRADE)
        await worker.desk.has_begun(2)
        calls += asker.asks(2, TRADE)
        await asker.has_queued(12)
        with pytest.raises(Busy):
            await asker.ask(TRADE, caller="another")
        held.released.set()
        await asyncio.gather(*calls)
        await asker.ask(READ)


async def test_a_caller_at_its_cap_is_refused_while_others_and_its_own_orders_pass(valkey: str) -> None:
    held = Held()
    limits = QueueLimits(of_one_caller=20, trades_of_one_caller=3)
    async with leading(valkey, Desk(held), slots=4, trade_slots=1) as worker, asking(valkey, limits) as asker:
        calls = asker.asks(30)
        answers_early = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert answers_early[0]
        await asker.has_queued(16)
        calls += asker.asks(1, caller="bob")
        await asker.has_queued(17)
        calls += asker.asks(3, TRADE)
        await worker.desk.has_begun(5)
        with pytest.raises(Busy):
            await asker.ask(TRADE)
        held.released.set()
        answers = await gathered(calls)
        assert sum(isinstance(answer, Busy) for answer in answers) == 10
        assert await asker.store.hash(KEYS.callers) == {}, "who has nothing in the queue is not counted"
