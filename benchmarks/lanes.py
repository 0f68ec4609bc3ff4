"""A cancel while a thousand queries of another frontend wait, against the same cancel with nothing else to do."""

from __future__ import annotations

import asyncio
import time

from benchmarks.calls import Caller
from benchmarks.figures import Figure, median, ms
from benchmarks.system import SECRET, SESSION, System, until
from shared.queue import scripts
from shared.queue.lanes import CLAIM_AT_ONCE
from shared.redis_keys import Keys
from shared.redis_store import Store

SYMBOLS = ("AAPL", "MSFT", "TSLA", "NVDA", "AMZN", "GOOGL")
DEPTH = 1000
HELD_MS = 60
"""How long each query holds its slot."""


async def place(caller: Caller, count: int) -> list[int]:
    """So many orders that rest far from the market; their ids."""
    placed: list[int] = []
    for number in range(count):
        answer = await caller.call(
            "place_limit_order",
            {
                "symbol": SYMBOLS[number % 3], "action": "BUY", "quantity": 1, "limit_price": 1,
                "client_order_id": f"bench-{time.monotonic_ns()}",
            },
        )  # fmt: skip
        placed.append(int(answer["order_id"]))
        await asyncio.sleep(0.1)  # beneath the gateway's own limit on messages
    return placed


async def cancel_all(caller: Caller, orders: list[int]) -> list[float]:
    """How long each cancellation took."""
    took: list[float] = []
    for order_id in orders:
        began = time.perf_counter()
        answer = await caller.call("cancel_order", {"order_id": order_id})
        took.append(time.perf_counter() - began)
        if "ancel" not in str(answer["status"]):
            raise RuntimeError(f"not cancelled: {answer}")
        await asyncio.sleep(0.1)
    return took


async def cancelling(system: System, caller: Caller, *, count: int) -> list[Figure]:
    """p50 of the cancel, and how many queries begin between its question and its own beginning."""
    quiet = await cancel_all(caller, await place(caller, count))
    orders = await place(caller, count)
    store, keys = Store.at(system.url), Keys(SESSION)
    flood = await system.child("flood", system.url, SESSION, SECRET, str(HELD_MS), str(DEPTH + 64))

    async def deep() -> bool:
        return await store.count_between(keys.queue, scripts.LANE_BOUNDARY, scripts.CLAIMED) >= DEPTH * 0.95

    await until(deep)
    busy = await cancel_all(caller, orders)
    overtaken = [await _overtaken(caller) for _ in range(20)]
    flood.kill()
    await flood.wait()
    await store.close()
    return [
        Figure(
            what=f"cancel behind {DEPTH:,} queries, p50",
            measured=ms(median(busy)),
            reference=f"the same, idle {ms(median(quiet))}",
            ratio=median(busy) / median(quiet),
            bound=3.0,
            details={"busy_p50": median(busy), "idle_p50": median(quiet)},
        ),
        Figure(
            what="queries begun before an order behind them",
            measured=f"{max(overtaken)} at most",
            reference=f"one claim batch: {CLAIM_AT_ONCE}",
            ratio=max(overtaken) / CLAIM_AT_ONCE,
            bound=1.0,
            details={"most": max(overtaken)},
        ),
    ]


async def _overtaken(caller: Caller) -> int:
    """Queries that began after an order was asked for and before it began: asked of a sample of our own."""
    sample = [asyncio.create_task(caller.call("take_time", {"milliseconds": 1}, caller=f"s{n}")) for n in range(80)]
    await asyncio.sleep(0)
    asked = time.monotonic_ns()
    order = await caller.call("jump_the_queue", {})
    began = [int((await query)["began_ns"]) for query in sample]
    return sum(asked <= one < int(order["began_ns"]) for one in began)
