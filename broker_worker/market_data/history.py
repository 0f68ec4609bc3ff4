"""The answer about historical bars: a page of them, and for a large range what it comes to and where its file is."""

from __future__ import annotations

import asyncio
import gzip
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from broker_worker.contracts import Resolved
from broker_worker.gateway.waiting import Patience
from broker_worker.market_data.bars import BarRequest, Bars, BarStore, bar, moment_of
from broker_worker.market_data.pieces import Range, in_pieces
from shared import clock, json_text
from shared.contract import Call
from shared.contract.answers import fits
from shared.contract.market_data import BarsFile, BarsSummary, HistoricalBar
from shared.errors import GatewayRefused, InvalidArgument, TimedOut
from shared.files import FileShelf, TooLarge
from shared.redis_store import RedisAway

if TYPE_CHECKING:
    from broker_worker.gateway.session import Session

PAGE = 200
"""Bars in one answer at most."""
LARGE = 1_000
"""Bars from which on a range is summed up and written to a file, and a first page shows few."""
FEW = 20
AT_ONCE = 6
"""Pieces of one range under way at the same time, so that another caller's request has its turn between them."""
COLUMNS = "date,open,high,low,close,volume"


class History:
    """Ranges of bars, whole."""

    def __init__(self, store: BarStore, files: FileShelf) -> None:
        self._store = store
        self._files = files

    async def bars(self, call: Call, session: Session, resolved: Resolved, wanted: BarRequest) -> Bars:
        """Every bar of the range, oldest first; in pieces where one request does not fill it.

        Raises ``TimedOut`` where the call's time is over before all pieces are there: those that are, are kept.
        """
        patience = Patience.of(call)
        asked = in_pieces(wanted.bar_size, wanted.duration, wanted.end)
        if asked is None:
            await call.progress(f"waiting for {wanted.bar_size} bars of {resolved.contract.symbol}")
            return await self._store.range(session, resolved, wanted, patience)
        parts: dict[int, Bars] = {}
        try:
            async with asyncio.timeout(patience.seconds):
                await self._pieces(call, session, resolved, wanted, asked, patience, parts)
        except TimeoutError:
            raise TimedOut(
                f"{len(parts)} of {len(asked.pieces)} pieces of this range are here and kept",
                action="make the same call again: it goes on where this one ended",
            ) from None
        joined = [line for number in asked.pieces for line in parts[number]]
        if not joined:
            raise GatewayRefused(f"there are no bars of {resolved.contract.symbol} in this range")
        return await asyncio.to_thread(_cut, joined, asked, resolved.time_zone)

    async def _pieces(
        self,
        call: Call,
        session: Session,
        resolved: Resolved,
        wanted: BarRequest,
        asked: Range,
        patience: Patience,
        parts: dict[int, Bars],
    ) -> None:
        """Fetch the pieces, newest first, a few at once; cancelled, nothing of it goes on."""
        numbers = asked.pieces
        rest = iter(reversed(numbers))

        async def take() -> None:
            for number in rest:
                parts[number] = await self._store.piece(session, resolved, asked.grid, number, wanted, patience)
                await call.progress(f"{len(parts)} of {len(numbers)} pieces of {resolved.contract.symbol}'s bars")

        takers = [asyncio.create_task(take()) for _ in range(min(AT_ONCE, len(numbers)))]
        try:
            await asyncio.gather(*takers)
        finally:
            for taker in takers:
                taker.cancel()
            await asyncio.gather(*takers, return_exceptions=True)

    async def file(self, call: Call, bars: Bars, name: str) -> BarsFile | None:
        """The range as a CSV file that this caller may fetch; None where Redis is away or it is too large."""
        body = await asyncio.to_thread(lambda: gzip.compress("\n".join([COLUMNS, *bars, ""]).encode(), 6))
        try:
            kept = await self._files.put(call.caller, f"{name}.csv", body)
        except (RedisAway, TooLarge):
            return None
        return BarsFile(path=kept.path, bars=len(bars), expires=kept.expires)


def summary(bars: Bars) -> BarsSummary:
    """What the range comes to."""
    fields = [line.split(",") for line in bars]
    volumes = [Decimal(row[5]) for row in fields if row[5]]
    return BarsSummary(
        bars=len(bars),
        first=moment_of(bars[0]),
        last=moment_of(bars[-1]),
        open=Decimal(fields[0][1]),
        high=max(Decimal(row[2]) for row in fields),
        low=min(Decimal(row[3]) for row in fields),
        close=Decimal(fields[-1][4]),
        volume=sum(volumes, Decimal(0)) if volumes else None,
    )


def _cut(lines: list[str], asked: Range, zone: str | None) -> Bars:
    """The pieces hold whole stretches of the grid: what lies before the start and after the end goes."""
    end = bisect_left(lines, json_text.time_text(asked.end))
    if asked.trading_days is None:
        return tuple(lines[bisect_left(lines, json_text.time_text(asked.start)) : end])
    there, start = ZoneInfo(zone or "America/New_York"), end
    for _ in range(asked.trading_days):
        if start == 0:
            break
        day = _moment(lines[start - 1]).astimezone(there).replace(hour=0, minute=0, second=0, microsecond=0)
        start = bisect_left(lines, json_text.time_text(day))
    return tuple(lines[start:end])


def _moment(line: str) -> datetime:
    return datetime.fromisoformat(line[: line.index(",")])


def page_backwards(bars: Bars, seen: int, most: int = PAGE) -> tuple[list[HistoricalBar], int | None]:
    """The newest bars beyond those already seen, oldest first, and how many are seen then; None where none is left."""
    rest: Sequence[str] = bars[: len(bars) - seen] if seen < len(bars) else ()
    newest = [bar(line) for line in rest[-most:]]
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


def now_to_the_second() -> datetime:
    """The end of a range that has none."""
    return clock.now().replace(microsecond=0)
