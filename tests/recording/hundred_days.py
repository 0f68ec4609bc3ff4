"""``python -m tests.recording.hundred_days``: an agent's day is recorded and replayed, a hundred times anew."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from broker_worker.replaying.command import replayed
from shared.errors import BridgeError

from .bridge import RecordedBridge


async def ask(bridge: RecordedBridge, name: str, **arguments: Any) -> str:
    """An answer, or the error an agent would read."""
    try:
        return await bridge.text(name, caller="alice", **arguments)
    except BridgeError as error:
        return str(error)


async def an_agents_day(bridge: RecordedBridge) -> None:
    """Every kind of call, some at the same time."""
    for name in ("get_account_summary", "get_positions"):
        await ask(bridge, name)
    await ask(bridge, "get_historical_data", symbol="AAPL")
    await ask(bridge, "get_option_chain", symbol="AAPL")
    await ask(bridge, "search_contracts", pattern="AAP")
    placed = {"symbol": "AAPL", "action": "BUY", "quantity": 5}
    resting = await ask(bridge, "place_limit_order", **placed, limit_price=100, client_order_id="rests")
    await ask(bridge, "place_market_order", **placed, client_order_id="fills")
    await ask(bridge, "place_limit_order", **placed, limit_price="100.001", client_order_id="refused")
    await ask(bridge, "get_orders")
    await asyncio.gather(
        *(ask(bridge, "get_stock_price", symbol=symbol) for symbol in ("AAPL", "MSFT", "NOSUCH")),
        ask(bridge, "get_positions"),
        ask(bridge, "place_stop_order", **placed, stop_price=90, client_order_id="stop"),
    )
    await ask(bridge, "cancel_order", order_id=f"perm:{json.loads(resting)['perm_id']}")
    await ask(bridge, "cancel_order", order_id="perm:12345")
    await ask(bridge, "get_executions")
    await ask(bridge, "get_orders", cursor="nonsense")


def in_a_thread(bridge: RecordedBridge) -> Any:
    """A replay, which has a loop of its own: the outcomes, and what was not in the recording."""
    result: list[Any] = []
    thread = Thread(target=lambda: result.append(replayed(bridge.transcript, bridge.recording)))
    thread.start()
    thread.join()
    return result[0]


async def lived_again(folder: Path) -> list[str]:
    """Record one day, which no other is quite like, and replay it: what was answered differently."""
    async with RecordedBridge(folder) as bridge:
        await an_agents_day(bridge)
    outcomes, unmatched = in_a_thread(bridge)
    different = [f"{one.job.operation}: {one.difference}" for one in outcomes if one.difference]
    return [*different, *(f"not in the recording: {words}" for words in unmatched)]


def main(argv: Sequence[str] | None = None) -> int:
    """Record and replay; the exit code says whether every answer was the same every time."""
    parser = argparse.ArgumentParser(prog="python -m tests.recording.hundred_days", description=__doc__)
    parser.add_argument("--days", type=int, default=100, help="how many")
    options = parser.parse_args(argv)
    logging.disable(logging.CRITICAL)
    same = 0
    for day in range(options.days):
        with TemporaryDirectory(prefix="a-day-") as folder:
            different = asyncio.run(lived_again(Path(folder)))
        same += not different
        for words in different:
            print(f"day {day}: {words}", flush=True)
    print(f"{same} of {options.days} days were answered as they were recorded", flush=True)
    return int(same < options.days)


if __name__ == "__main__":
    sys.exit(main())
