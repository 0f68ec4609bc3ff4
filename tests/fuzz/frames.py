"""Sessions with a hostile gateway: what the worker must do whatever it is told."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

from shared.errors import Internal
from simulated_gateway import GatewayConfig
from simulated_gateway.sessions.connection import Sink

from .hostile_gateway import HostileSink
from .lone_worker import LoneWorker

_SYMBOLS = ("AAPL", "MSFT", "TSLA", "SPY", "NOSUCH")
_ROUNDS = 25


@dataclass
class Session:
    """What came of one session."""

    seed: int
    spoiled: int = 0
    jobs: int = 0
    wrong: list[str] = field(default_factory=list[str])


def session(seed: int) -> Session:
    """One session; the same for the same seed."""
    chance = random.Random(seed)
    share = chance.choice((0.02, 0.1, 0.3, 0.6))
    breaks = chance.choice((0.0, 0.0, 0.002))
    sinks: list[HostileSink] = []

    def through(sink: Sink) -> Sink:
        sinks.append(HostileSink(sink, chance, share, breaks_framing=breaks))
        return sinks[-1]

    told = Session(seed)
    # The market moves, so that lines carry prices for as long as they are open.
    with LoneWorker(GatewayConfig(beat_seconds=0.1, pnl_refresh=0.2), through) as lone:
        lone.run(_converse(lone, chance, told))
        for sink in sinks:
            sink.calm_down()
        share = breaks = 0.0
        lone.run(_recover(lone, told))
        told.wrong += [f"raised in the loop: {crash[:300]}" for crash in lone.crashes]
        if not lone.lives:
            told.wrong.append("a part of the worker ended")
    told.spoiled = sum(sink.spoiled for sink in sinks)
    return told


async def _converse(lone: LoneWorker, chance: random.Random, told: Session) -> None:
    asked: set[str] = set()
    for turn in range(_ROUNDS):
        await asyncio.sleep(chance.uniform(0, 4))
        symbol = chance.choice(_SYMBOLS)
        name = f"{told.seed}-{turn}"
        order: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "client_order_id": name}
        calls = [
            lone.ask("get_positions"),
            lone.ask("get_account_summary"),
            lone.ask("get_stock_price", symbol=symbol),
            lone.ask("get_orders"),
            lone.ask("get_historical_data", symbol=symbol),
            lone.ask("search_contracts", pattern=symbol),
            lone.ask("get_executions"),
            lone.ask("place_limit_order", **order, limit_price=100 + turn),
        ]
        chosen = chance.sample(range(len(calls)), k=3)
        for number, call in enumerate(calls):
            if number not in chosen:
                call.close()
        if len(calls) - 1 in chosen:
            asked.add(name)
        told.jobs += len(chosen)
        for answer in await asyncio.gather(*(calls[number] for number in chosen)):
            if answer.get("error", {}).get("code") == Internal.code:
                told.wrong.append(f"a job ended in a defect: {answer}")
    placed = lone.placed()
    if len(placed) != len(set(placed)):
        told.wrong.append(f"an order was placed twice: {placed}")
    if len(placed) > len(asked):
        told.wrong.append(f"{len(placed)} orders were placed, {len(asked)} asked for")


async def _recover(lone: LoneWorker, told: Session) -> None:
    """Once the gateway talks sense again, everything works again."""
    lone.gateway.control.drop_links()
    try:
        await lone.ready()
        await asyncio.sleep(1)
        for name in ("get_positions", "get_orders"):
            answer = await lone.ask(name)
            if "result" not in answer:
                told.wrong.append(f"{name} after the storm: {answer}")
    except TimeoutError:
        told.wrong.append(f"the link did not come back: {lone.worker.link.state} ({lone.worker.link.detail})")


def sessions(frames: int, first: int = 0) -> tuple[int, int, list[Session]]:
    """Sessions until so many frames were spoiled: how many frames and jobs, and the sessions that went wrong."""
    spoiled = jobs = 0
    wrong: list[Session] = []
    seed = first
    while spoiled < frames:
        told = session(seed)
        spoiled, jobs, seed = spoiled + told.spoiled, jobs + told.jobs, seed + 1
        if told.wrong:
            wrong.append(told)
    return spoiled, jobs, wrong
