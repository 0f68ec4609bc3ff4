"""Historical bars: one request each, joined for those who ask the same, kept for those who page through them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from broker_worker.contracts import Resolved
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.convert import bar_time, exact, exact_or_zero, wire_time
from broker_worker.single_flight import SingleFlight
from shared import clock
from shared.contract.answers import fits
from shared.contract.market_data import HistoricalBar
from shared.errors import InvalidArgument

if TYPE_CHECKING:
    from ib_async import BarData

    from broker_worker.gateway.session import Session

SECONDS = 22.0
OPEN_END_ONLY = frozenset({"ADJUSTED_LAST"})
"""Bars the gateway gives only up to now; with an end it refuses them. Source: TWS API, Historical Data Types."""
PAGE = 200
"""Bars in one answer at most."""
KEEP_SECONDS = 300.0
KEEP_MOST = 16
"""Ranges kept for paging; the gateway answers an identical request within 15 seconds with a pacing violation."""


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
    """Fetches ranges of bars and remembers the last few."""

    def __init__(self) -> None:
        self._kept: OrderedDict[BarRequest, tuple[float, list[HistoricalBar]]] = OrderedDict()
        self._flight = SingleFlight[BarRequest, list[HistoricalBar]]()

    async def range(self, session: Session, resolved: Resolved, wanted: BarRequest) -> list[HistoricalBar]:
        """All bars of the range, oldest first. Raises what the gateway's refusal means."""
        kept = self._kept.get(wanted)
        if kept is not None and clock.monotonic() - kept[0] < KEEP_SECONDS:
            return kept[1]
        bars = await self._flight.do(wanted, lambda: _fetch(session, resolved, wanted))
        self._kept[wanted] = (clock.monotonic(), bars)
        self._kept.move_to_end(wanted)
        if len(self._kept) > KEEP_MOST:
            self._kept.popitem(last=False)
        return bars


async def _fetch(session: Session, resolved: Resolved, wanted: BarRequest) -> list[HistoricalBar]:
    client = session.client
    rows = cast(
        "list[BarData]",
        await session.ask(
            Lane.HISTORY,
            SECONDS,
            lambda request: client.reqHistoricalData(
                request,
                resolved.contract,
                "" if wanted.what_to_show in OPEN_END_ONLY else wire_time(wanted.end),
                wanted.duration,
                wanted.bar_size,
                wanted.what_to_show,
                wanted.use_rth,
                2,
                False,
                [],
            ),
            cancel=client.cancelHistoricalData,
        ),
    )
    return [_bar(row) for row in rows]


def _bar(row: BarData) -> HistoricalBar:
    volume = exact(row.volume)
    return HistoricalBar(
        date=bar_time(str(row.date)),
        open=exact_or_zero(row.open),
        high=exact_or_zero(row.high),
        low=exact_or_zero(row.low),
        close=exact_or_zero(row.close),
        volume=volume if volume is not None and volume >= 0 else None,
    )


def page_backwards(bars: list[HistoricalBar], seen: int) -> tuple[list[HistoricalBar], int | None]:
    """The newest bars beyond those already seen, oldest first, and how many are seen then; None where none is left."""
    rest = bars[: len(bars) - seen] if seen else bars
    newest = rest[-PAGE:]
    newest = newest[len(newest) - fits(newest[::-1]) :]
    now_seen = seen + len(newest)
    return newest, now_seen if now_seen < len(bars) else None


def make_cursor(end: datetime, seen: int) -> str:
    """Where a page ended: the pinned end of the range and the number of bars seen."""
    return f"{int(end.timestamp())}-{seen}"


def read_cursor(cursor: str) -> tuple[datetime, int]:
    """The other way; raises ``InvalidArgument`` for one this server did not make."""
    end, _, seen = cursor.partition("-")
    if not (
        end.isascii() and end.isdigit() and len(end) <= 11 and seen.isascii() and seen.isdigit() and len(seen) <= 7
    ):
        raise InvalidArgument("cursor is not one this server gave", action="pass next_cursor of the previous answer")
    return datetime.fromtimestamp(int(end), UTC), int(seen)
