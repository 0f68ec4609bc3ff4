"""From the gateway's acknowledgement of an order to the client's answer, beside a server that keeps no journal."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import httpx2

from benchmarks.calls import HttpCaller
from benchmarks.figures import Figure, median, ms
from benchmarks.system import System, free_port, listens, running, until

ORDER: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 1}
"""Rests far from the market, so that each is acknowledged and none fills."""


class Ledger:
    """The gateway's own word on when an order was acknowledged: it does so in the moment in which it is entered."""

    def __init__(self, control_port: int) -> None:
        self._http = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{control_port}")
        self._seen = 0

    async def after(self, answered_at: float) -> float:
        """Seconds from the acknowledgement of the newest order to a time of the clock; the order is then cancelled."""
        entries = (await self._http.get("/ledger", params={"since": self._seen})).json()["result"]
        self._seen += len(entries)
        (placed,) = [entry for entry in entries if entry["kind"] == "place"]
        await self._http.post("/cancel_order", json={"perm_id": placed["perm_id"]})
        return answered_at - datetime.fromisoformat(placed["time"]).timestamp()

    async def close(self) -> None:
        await self._http.aclose()


async def acknowledged(*, rounds: int) -> Figure:
    """One order after the other, in turns, with Redis writing each word to its disk before it answers."""
    async with running(durable=True) as system:
        ours, theirs = await _measured(system, rounds)
    return Figure(
        what="order: acknowledgement to answer, p50",
        measured=ms(median(ours)),
        reference=f"one process, no journal {ms(median(theirs))}",
        ratio=median(ours) / median(theirs),
        bound=None,
        details={"ours_p50": median(ours), "one_process_p50": median(theirs)},
    )


async def _measured(system: System, rounds: int) -> tuple[list[float], list[float]]:
    port = free_port()
    await system.child("one_process", str(system.gateway_port), str(port))
    await until(lambda: listens(port))
    ledger = Ledger(system.control_port)
    callers = [HttpCaller(one, "place_limit_order", ORDER) for one in (system.http_port, port)]
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 5):
        for caller, seconds in zip(callers, took, strict=True):
            await caller.once()
            delay = await ledger.after(time.time())
            if number >= 5:  # the first ones find everything cold
                seconds.append(delay)
    for caller in callers:
        await caller.close()
    await ledger.close()
    return took
