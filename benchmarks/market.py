"""Market data for everybody over one gateway: one line a contract, the gateway's limits, orders first."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.request import urlopen

import httpx2
from ib_async import IB, Stock

from benchmarks.calls import Caller, timed
from benchmarks.figures import Figure, median, ms
from benchmarks.system import SECRET, SESSION, System, free_port, listens, memory_bytes, until
from shared.errors import BridgeError
from simulated_gateway import SystemClock
from simulated_gateway.catalogue import Catalogue
from simulated_gateway.instruments import ContractQuery
from simulated_gateway.listings import LISTINGS

CROWD = 200
PRICE = "get_stock_price"
WORKER = "1"
"""The worker's client id at the gateway."""
COLD = ("IBM", "ORCL", "INTC", "CSCO", "KO", "JPM", "XOM", "JNJ", "NFLX")
_HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
Say = Callable[[str], None]


class GatewaySeen:
    """What the gateway has counted so far."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/"

    def counters(self) -> dict[str, Any]:
        with urlopen(self._url + "counters", timeout=20) as response:
            result: dict[str, Any] = json.load(response)["result"]
        return result

    async def worker(self) -> Counter[str]:
        """The worker's messages by kind, but for its sign of life."""
        found = (await asyncio.to_thread(self.counters))["received_from"].get(WORKER, {})
        return Counter({name: count for name, count in found.items() if name != "reqCurrentTime"})

    async def violations(self) -> int:
        """Limits broken, by whomever."""
        return sum((await asyncio.to_thread(self.counters))["violations"].values())


async def _at_once(http: httpx2.AsyncClient, port: int, tool: str, arguments: Mapping[str, object]) -> float:
    """Seconds until so many simultaneous calls were all answered."""
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    )

    async def once() -> None:
        answer = await http.post(f"http://127.0.0.1:{port}/mcp", content=body, headers=_HEADERS)
        if answer.status_code != 200 or '"isError":true' in answer.text:
            raise RuntimeError(f"{tool}: {answer.status_code} {answer.text[:300]}")

    began = time.perf_counter()
    await asyncio.gather(*(once() for _ in range(CROWD)))
    return time.perf_counter() - began


async def _qualify_and_snapshot(port: int) -> tuple[float, int]:
    """What a server of the usual kind does at every call, without its HTTP: seconds, and how many were served.

    The client library holds itself to 45 messages a second, and on a busy machine the gateway cuts it off all the same.
    """
    ib: Any = IB()
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)
    await ib.connectAsync("127.0.0.1", port, clientId=78)

    async def once() -> None:
        async with asyncio.timeout(30):
            (contract,) = await ib.qualifyContractsAsync(Stock("AAPL", "SMART", "USD"))
            await ib.reqTickersAsync(contract)

    began = time.perf_counter()
    outcomes = await asyncio.gather(*(once() for _ in range(CROWD)), return_exceptions=True)
    took = time.perf_counter() - began
    ib.disconnect()
    return took, sum(outcome is None for outcome in outcomes)


async def cold_crowd(system: System, seen: GatewaySeen, *, repeats: int) -> list[Figure]:
    """Two hundred ask for a price nobody asked for before; beside it an empty tool, and a server of the usual kind."""
    ours = free_port()
    await system.child("frontend", REDIS_URL=system.url, GATEWAY_SESSION=SESSION, JOB_SIGNING_SECRET=SECRET,
                       SERVER_PORT=str(ours))  # fmt: skip
    await until(lambda: listens(ours))
    limits = httpx2.Limits(max_connections=CROWD, max_keepalive_connections=CROWD)
    async with httpx2.AsyncClient(limits=limits, timeout=60) as http:
        await _at_once(http, ours, "do_nothing", {})
        before = await seen.worker()
        runs = [
            (
                await _at_once(http, ours, "get_stock_price", {"symbol": symbol}),
                await _at_once(http, ours, "do_nothing", {}),
            )
            for symbol in COLD[:repeats]
        ]
        opened = (await seen.worker() - before)["reqMktData"]
    theirs, served = await _qualify_and_snapshot(system.gateway_port)
    cold, empty = median([one for one, _ in runs]), median([one for _, one in runs])
    what = f"{CROWD} at once ask one cold symbol, HTTP"
    return [
        Figure(what=what, measured=ms(cold), reference=f"{CROWD} calls of an empty tool {ms(empty)}",
               ratio=median([one / other for one, other in runs]), bound=2.0, details={"cold": cold, "empty": empty}),
        Figure(what=what, measured=f"{opened} lines", reference=f"{repeats} symbols", ratio=opened / repeats,
               bound=1.0),
        Figure(what=what, measured=ms(cold), reference=f"qualify and snapshot per call {ms(theirs)}, {served} served",
               ratio=cold / theirs, bound=1.0, details={"usual": theirs}),
    ]  # fmt: skip


async def warm(caller: Caller, seen: GatewaySeen, *, repeats: int, rounds: int) -> list[Figure]:
    """A price that somebody asked for before, against an empty job; taken in turns."""

    async def price(_: int) -> None:
        await caller.call("get_stock_price", {"symbol": "AAPL"})

    await timed(price, 20)
    before = await seen.worker()
    pairs = [(await timed(price, rounds), await timed(caller.empty, rounds)) for _ in range(repeats)]
    messages = (await seen.worker() - before).total()
    mine, empty = median([one.p50 for one, _ in pairs]), median([one.p50 for _, one in pairs])
    return [
        Figure(what="warm price, p50", measured=ms(mine), reference=f"empty job {ms(empty)}",
               ratio=median([one.p50 / other.p50 for one, other in pairs]), bound=1.2),
        Figure(what="warm prices", measured=f"{messages} gateway messages", reference=f"{repeats * rounds:,} prices",
               ratio=messages, bound=0, unit="messages"),
    ]  # fmt: skip


def contracts(count: int) -> list[int]:
    """So many con_ids with live data: stocks, pairs and options."""
    listed = [one.con_id for one in LISTINGS if one.data == "live" and one.sec_type in {"STK", "CASH", "CRYPTO"}]
    catalogue = Catalogue(SystemClock())
    options = [
        one.con_id
        for symbol in ("AAPL", "MSFT", "NVDA")
        for one in catalogue.match(ContractQuery(symbol=symbol, sec_type="OPT", right="C"))
    ]
    return (listed + options)[:count]


async def rotation(caller: Caller, seen: GatewaySeen, *, callers: int, symbols: int, seconds: float) -> list[Figure]:
    """Many callers over more symbols than there are lines, each asking as soon as it is answered."""
    con_ids = contracts(symbols)
    for first in range(0, symbols, 20):  # the simulated gateway makes up each contract's day when first asked for it
        await caller.call("get_quotes", {"con_ids": con_ids[first : first + 20]})
    ends = time.monotonic() + seconds
    answered: Counter[int] = Counter()
    refused: Counter[str] = Counter()
    lost: list[str] = []
    longest = 0.0
    broken = await seen.violations()

    async def one(number: int) -> None:
        nonlocal longest
        chance = random.Random(number)
        while (asked := time.monotonic()) < ends:
            try:
                await caller.call("get_stock_price", {"con_id": chance.choice(con_ids)}, caller=f"caller {number}")
                answered[number] += 1
            except BridgeError as error:
                refused[error.code] += 1
            except Exception as error:
                lost.append(repr(error))
            longest = max(longest, time.monotonic() - asked)

    await asyncio.gather(*(one(number) for number in range(callers)))
    most = (await asyncio.to_thread(seen.counters))["most_lines"]
    counts = sorted(answered[number] for number in range(callers))
    fair = sum(counts) ** 2 / (callers * sum(count * count for count in counts) or 1)
    what = f"{callers:,} callers, {symbols} symbols, {seconds:g} s"
    told = ", ".join(f"{count:,} {code}" for code, count in sorted(refused.items())) or "none refused"
    return [
        Figure(what=what, measured=f"{most} lines at most", reference="100 allowed", ratio=most, bound=100,
               unit="lines"),
        Figure(what=what, measured=f"{sum(counts):,} answered, {told}", reference="calls without either",
               ratio=len(lost), bound=0, unit="lost"),
        Figure(what=what, measured=f"longest wait {longest:.1f} s", reference="a call's patience 25 s", ratio=longest,
               bound=25, unit="s"),
        Figure(what=what, measured=f"{counts[0]} to {counts[-1]} answers each", reference="1 all alike, 0.5 chance",
               ratio=fair, bound=0.5, side="at least", unit="fair"),
        Figure(what=what, measured="limits broken", reference="counted by the gateway",
               ratio=await seen.violations() - broken, bound=0, unit="broken"),
    ]  # fmt: skip


async def flood(caller: Caller, seen: GatewaySeen, *, requests: int, orders: int) -> list[Figure]:
    """Orders while so many history requests wait: how many messages of lower lanes the gateway had in between."""
    broken = await seen.violations()
    outcomes: Counter[str] = Counter()

    async def ask(number: int) -> None:
        end = f"2025-06-{1 + number % 28:02}T{number // 28 % 24:02}:{number // 672 % 60:02}:00Z"
        arguments = {"symbol": "AAPL", "bar_size": "1 day", "duration": "1 D", "end": end}
        try:
            await caller.call("get_historical_data", arguments, caller=f"caller {number % 50}")
            outcomes["answered"] += 1
        except BridgeError as error:
            outcomes[error.code] += 1

    asking = [asyncio.create_task(ask(number)) for number in range(requests)]
    await asyncio.sleep(3)
    overtaken: list[int] = []
    for number in range(orders):
        order = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 1 + number,
                 "client_order_id": f"flood-{time.monotonic_ns()}"}  # fmt: skip
        before = (await seen.worker())["reqHistoricalData"]
        await caller.call("place_limit_order", order, caller="trader")
        overtaken.append((await seen.worker())["reqHistoricalData"] - before)
    await asyncio.gather(*asking)
    what = f"an order in a flood of {requests:,} history requests"
    told = ", ".join(f"{count:,} {code}" for code, count in sorted(outcomes.items()))
    return [
        Figure(what=what, measured=f"{max(overtaken)} lower messages, question to answer", reference="one order",
               ratio=median([float(count) for count in overtaken]), bound=2, unit="messages",
               details={"most": max(overtaken)}),
        Figure(what=what, measured=told, reference="limits broken", ratio=await seen.violations() - broken, bound=0,
               unit="broken"),
    ]  # fmt: skip


async def year(caller: Caller, seen: GatewaySeen, *, duration: str) -> list[Figure]:
    """A large range joined from pieces, and one whose caller leaves."""
    asked: dict[str, object] = {"symbol": "MSFT", "bar_size": "1 min", "duration": duration}
    broken, began, calls = await seen.violations(), time.perf_counter(), 0
    while True:
        calls += 1
        try:
            answer = await caller.call("get_historical_data", asked)
            break
        except BridgeError as error:
            if error.code != "TIMEOUT" or calls > 20:
                raise
    took = time.perf_counter() - began
    leaving = asyncio.create_task(caller.call("get_historical_data", {**asked, "symbol": "TSLA"}))
    await asyncio.sleep(1)
    leaving.cancel()
    left = time.perf_counter()
    sent = -1
    while (now := (await seen.worker())["reqHistoricalData"]) != sent:
        sent = now
        await asyncio.sleep(0.25)
    stopped = time.perf_counter() - left
    what = f"{duration} of minutes"
    return [
        Figure(what=what, measured=f"{answer['summary']['bars']:,} bars in {took:.1f} s", reference=f"{calls} calls",
               ratio=await seen.violations() - broken, bound=0, unit="broken", details={"seconds": took}),
        Figure(what=f"{what}, the caller leaves", measured=f"{stopped:.2f} s to the last request", reference="1 s",
               ratio=stopped, bound=1.0, unit="s"),
    ]  # fmt: skip


async def leaks(system: System, caller: Caller, *, quotes: int) -> Figure:
    """Memory after so many prices on symbols that take turns on the lines."""
    con_ids = contracts(150)
    memory: list[int] = []
    parts, window = 10, 60

    async def some(first: int) -> None:
        async def one(number: int) -> None:
            try:
                await caller.call("get_stock_price", {"con_id": con_ids[(first + number % window) % len(con_ids)]})
            except BridgeError:
                return

        for start in range(0, quotes // parts, 64):
            await asyncio.gather(*(one(start + number) for number in range(64)))

    for part in range(parts):
        await some(part * window)
        memory.append(memory_bytes(system.worker))
    grown = (max(memory[-2:]) / max(memory[2:5]) - 1) * 100
    return Figure(
        what=f"worker's memory, {quotes:,} prices on rotating symbols", measured=f"{grown:+.1f} %",
        reference="after a third of them", ratio=grown, bound=5.0, unit="%",
    )  # fmt: skip


async def _served(caller: Caller) -> None:
    """Return when the worker serves: the gateway may have cut it off in the part before."""

    async def answers() -> bool:
        try:
            await caller.call("get_positions", {})
        except BridgeError:
            return False
        return True

    await until(answers)


async def figures(system: System, caller: Caller, *, quick: bool, say: Say) -> list[Figure]:
    """All of them, the quiet ones first."""
    seen = GatewaySeen(system.control_port)
    say("market data: a cold symbol and a crowd")
    found = await cold_crowd(system, seen, repeats=3 if quick else 9)
    say("market data: warm prices")
    found += await warm(caller, seen, repeats=3 if quick else 9, rounds=200 if quick else 1000)
    say("market data: more symbols than lines")
    found += await rotation(caller, seen, callers=1_000, symbols=300, seconds=15 if quick else 60)
    say("market data: an order in a flood of history")
    await _served(caller)
    found += await flood(caller, seen, requests=500 if quick else 5_000, orders=5 if quick else 20)
    say("market data: a large range")
    await _served(caller)
    found += await year(caller, seen, duration="1 M" if quick else "1 Y")
    say("market data: leaks")
    found.append(await leaks(system, caller, quotes=5_000 if quick else 100_000))
    return found
