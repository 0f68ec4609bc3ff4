"""Historical bars as text: one line a bar, which is how they are kept, paged, joined and handed out as CSV.

Ranges that one request can fill are asked for as they are. Larger ones come in pieces of a shared grid; a piece that is
over is kept over restarts, until the night where splits may rewrite it. Identical questions in flight share a request.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from broker_worker.cache_file import CacheFile
from broker_worker.contracts import Resolved, until_night
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.convert import bar_time, exact, wire_time
from broker_worker.gateway.requests import Wanted
from broker_worker.gateway.waiting import Patience
from broker_worker.market_data.pacing import HistoryAsk, HistoryPacer, Turn
from broker_worker.market_data.pieces import Grid, piece_start
from broker_worker.single_flight import SingleFlight
from shared import clock, json_text
from shared.contract.market_data import HistoricalBar
from shared.errors import GatewayRefused, UnreadableAnswer

if TYPE_CHECKING:
    from ib_async import BarData

    from broker_worker.gateway.session import Session

SECONDS = 22.0
OPEN_END_ONLY = frozenset({"ADJUSTED_LAST"})
"""Bars the gateway gives only up to now; with an end it refuses them. Source: TWS API, Historical Data Types."""
KEEP_SECONDS = 300.0
KEEP_MOST_BARS = 400_000
"""Of ranges kept in memory for paging; the gateway answers an identical request within 15 s with a pacing violation."""
SETTLED_AFTER = timedelta(hours=1)
"""After its end a piece is complete for delayed data too."""
_WITHOUT_SPLITS = frozenset({"FUT", "FOP", "CASH", "CRYPTO", "IND", "CMDTY"})
_WEEK = 7 * 86_400.0

Bars = tuple[str, ...]
"""Lines ``date,open,high,low,close,volume``, oldest first; the date is UTC with Z, or the exchange's for days."""


@dataclass(frozen=True, slots=True)
class BarRequest:
    """Everything that decides which bars come; the end is pinned, so that pages of one range fit together."""

    con_id: int
    end: datetime
    duration: str
    bar_size: str
    what_to_show: str
    use_rth: bool


class BarStore:
    """Fetches bars and remembers them."""

    def __init__(self, file: CacheFile) -> None:
        self._file = file
        self._pacer = HistoryPacer(file)
        self._kept: OrderedDict[str, tuple[float, Bars]] = OrderedDict()
        self._bars_kept = 0
        self._flight = SingleFlight[str, Bars]()

    async def range(self, session: Session, resolved: Resolved, wanted: BarRequest, patience: Patience) -> Bars:
        """All bars of a range that one request fills. Raises what the gateway's refusal means."""
        key = repr(wanted)
        return await self._flight.do(
            key,
            patience,
            lambda shared: self._known(key, None, lambda: self._fetch(session, resolved, wanted, shared)),
        )

    async def piece(
        self,
        session: Session,
        resolved: Resolved,
        grid: Grid,
        number: int,
        wanted: BarRequest,
        patience: Patience,
    ) -> Bars:
        """The bars that begin in one piece of a grid, up to the end of the range."""
        start = piece_start(grid, number)
        end = start + grid.step
        over = end + grid.margin + SETTLED_AFTER <= clock.now()
        ask_end = end + grid.margin if over else min(end + grid.margin, wanted.end)
        asked = BarRequest(wanted.con_id, ask_end, grid.duration, wanted.bar_size, wanted.what_to_show, wanted.use_rth)
        exchange = resolved.contract.exchange
        key = f"bars:{wanted.con_id}:{exchange}:{asked.bar_size}:{asked.what_to_show}:{asked.use_rth}:{number}"
        until = _true_until(resolved) if over else None

        async def fetch(shared: Patience) -> Bars:
            try:
                found = await self._fetch(session, resolved, asked, shared)
            except GatewayRefused as refused:
                if "no data" not in refused.fact:
                    raise
                found = ()
            first, last = json_text.time_text(start), json_text.time_text(end)
            return tuple(line for line in found if first <= line[: len(first)] < last)

        key = key if over else f"{key}:{ask_end}"
        return await self._flight.do(key, patience, lambda shared: self._known(key, until, lambda: fetch(shared)))

    async def _known(self, key: str, until: float | None, fetch: Callable[[], Awaitable[Bars]]) -> Bars:
        """What is remembered, in memory or (where it stays true for a while) in the file; else fetched."""
        kept = self._kept.get(key)
        if kept is not None and clock.monotonic() - kept[0] < KEEP_SECONDS:
            self._kept.move_to_end(key)
            return kept[1]
        stored = await self._file.get(key) if until is not None else None
        if stored is not None:
            return _lines(stored.body)
        bars = await fetch()
        if until is not None:
            await self._file.put(key, "\n".join(bars).encode(), until)
        else:
            self._keep(key, bars)
        return bars

    def _keep(self, key: str, bars: Bars) -> None:
        if (old := self._kept.pop(key, None)) is not None:
            self._bars_kept -= len(old[1])
        self._kept[key] = (clock.monotonic(), bars)
        self._bars_kept += len(bars)
        while len(self._kept) > 1 and (self._bars_kept > KEEP_MOST_BARS or len(self._kept) > 256):
            _, (_, dropped) = self._kept.popitem(last=False)
            self._bars_kept -= len(dropped)

    async def _fetch(self, session: Session, resolved: Resolved, wanted: BarRequest, patience: Patience) -> Bars:
        client = session.client
        end = "" if wanted.what_to_show in OPEN_END_ONLY else wire_time(wanted.end)
        contract = resolved.contract
        ask = HistoryAsk(wanted.con_id, contract.exchange, wanted.what_to_show, wanted.bar_size, wanted.duration, end)

        def send(request: int, turn: Turn) -> None:
            self._pacer.mark(turn)
            client.reqHistoricalData(
                *(request, contract, end, wanted.duration, wanted.bar_size, wanted.what_to_show),
                *(wanted.use_rth, 2, False, []),
            )

        async with self._pacer.turn(ask, patience) as turn:
            rows = cast(
                "list[BarData]",
                await session.ask(
                    Wanted.BARS,
                    Lane.HISTORY,
                    SECONDS,
                    lambda request: send(request, turn),
                    cancel=client.cancelHistoricalData,
                    patience=patience,
                ),
            )
        # Thousands of bars must not hold up orders.
        return await asyncio.to_thread(_texts, rows) if len(rows) > 500 else _texts(rows)


def _true_until(resolved: Resolved) -> float:
    """Unix seconds until which bars that are over stay as they are: splits rewrite a stock's overnight."""
    if resolved.contract.secType in _WITHOUT_SPLITS:
        return clock.now().timestamp() + _WEEK
    return until_night(resolved.time_zone)


def _lines(body: bytes) -> Bars:
    return tuple(body.decode().split("\n")) if body else ()


def _texts(rows: list[BarData]) -> Bars:
    return tuple(_text(row) for row in rows)


def _text(row: BarData) -> str:
    try:
        moment = bar_time(str(row.date))
    except (ValueError, OverflowError) as error:
        raise UnreadableAnswer(f"the gateway sent a bar of no time: {row.date!r:.40}") from error
    when = json_text.time_text(moment) if isinstance(moment, datetime) else moment.isoformat()
    four = [exact(value) for value in (row.open, row.high, row.low, row.close)]
    prices = ",".join(json_text.decimal_text(value) for value in four if value is not None)
    if None in four:
        raise UnreadableAnswer(f"the gateway sent a bar without a price, of {when}")
    volume = exact(row.volume)
    return f"{when},{prices},{json_text.decimal_text(volume) if volume is not None and volume >= 0 else ''}"


def moment_of(line: str) -> datetime | date:
    """When a bar begins."""
    text = line[: line.index(",")]
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def bar(line: str) -> HistoricalBar:
    """A line as the contract shows it."""
    _, opened, high, low, close, volume = line.split(",")
    when = moment_of(line)
    return HistoricalBar(
        date=when.astimezone(UTC) if isinstance(when, datetime) else when,
        open=Decimal(opened),
        high=Decimal(high),
        low=Decimal(low),
        close=Decimal(close),
        volume=Decimal(volume) if volume else None,
    )
