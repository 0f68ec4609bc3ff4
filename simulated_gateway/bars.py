"""Historical bars, cut from the same paths that the quotes come from.

A bar's values depend on the bar alone: it is whole whatever part of it the request touches, and only the one that is
still forming ends at the present.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Final

from simulated_gateway.bar_cutting import between, mark_source, merged, of_minutes, of_seconds, ranges, up_to
from simulated_gateway.bar_pricing import Cut, finished, pricer
from simulated_gateway.bar_requests import (
    BarSize,
    Duration,
    Period,
    failed,
    no_data,
    parse_bar_size,
    parse_duration,
    parse_shown,
)
from simulated_gateway.exchange_hours import DaySessions, Span, latest_sessions, previous_sessions, sessions, zone_of
from simulated_gateway.instruments import Instrument
from simulated_gateway.market import DELAY, DayTotals, Market
from simulated_gateway.market_data import Bar, InvalidRequest
from simulated_gateway.price_paths import SECONDS

__all__ = ["Bar", "InvalidRequest", "bars"]

#: More than a year of round-the-clock minutes; past it the gateway refuses rather than choke.
_MOST_BARS: Final = 600_000
#: Nothing was recorded before.
_EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Range:
    """What is asked for: trade dates, ascending, and the moments between which intraday bars must have a part."""

    days: list[DaySessions]
    start: datetime
    end: datetime
    #: The present, or as much earlier as delayed data is.
    limit: datetime


def bars(
    market: Market,
    instrument: Instrument,
    end: datetime | None,
    duration: str,
    bar_size: str,
    what_to_show: str,
    use_rth: bool,
) -> list[Bar]:
    """Answer reqHistoricalData, ascending.

    `end` is aware; None (an empty endDateTime) and the future mean now. InvalidRequest carries the gateway's code and
    text. Intraday bars are aligned to the exchange's wall clock and begin with their session, so that an hourly bar of
    regular US hours starts at 09:30 and the next at 10:00. A bar of a day, week or month carries its last trade date.
    """
    size, length = parse_bar_size(bar_size), parse_duration(duration)
    shown = parse_shown(what_to_show, instrument, size, open_ended=end is None)
    limit = market.now() - (DELAY if instrument.data == "delayed" else timedelta(0))
    until = limit if end is None else min(end.astimezone(UTC), limit)
    if until < _EARLIEST:
        raise no_data(instrument, what_to_show)
    asked = _range(instrument, until, limit, length, use_rth)
    _refuse_too_many(asked, size)
    price = pricer(instrument, shown)
    return [finished(cut, price) for cut in _cuts(market, instrument, asked, size, use_rth)]


def _range(instrument: Instrument, end: datetime, limit: datetime, length: Duration, use_rth: bool) -> _Range:
    last = latest_sessions(instrument, end)
    while not any(span.start < end for span in _spans(last, use_rth)):
        last = previous_sessions(instrument, last.day)
    days, start = [last], _EARLIEST
    if length.unit == "S":
        return _seconds_back(instrument, last, end, limit, length.count, use_rth)
    if length.unit == "D":
        while len(days) < length.count:
            days.append(previous_sessions(instrument, days[-1].day))
    else:
        first = max(_back(last.day, length), _EARLIEST.date())
        while (before := previous_sessions(instrument, days[-1].day)).day > first:
            days.append(before)
    return _Range(days[::-1], start, end, limit)


def _seconds_back(
    instrument: Instrument, last: DaySessions, end: datetime, limit: datetime, seconds: int, use_rth: bool
) -> _Range:
    days, left = [last], timedelta(seconds=seconds)
    while True:
        for span in reversed(_spans(days[-1], use_rth)):
            traded = min(span.end, end) - span.start
            if traded >= left:
                return _Range(days[::-1], min(span.end, end) - left, end, limit)
            left -= max(traded, timedelta(0))
        days.append(previous_sessions(instrument, days[-1].day))


def _back(day: date, length: Duration) -> date:
    if length.unit == "W":
        return day - timedelta(weeks=length.count)
    months = day.year * 12 + day.month - 1 - length.count * (12 if length.unit == "Y" else 1)
    # The 28th exists in every month; the few days more or less matter to nobody.
    return date(months // 12, months % 12 + 1, min(day.day, 28))


def _spans(day: DaySessions, use_rth: bool) -> tuple[Span, ...]:
    return day.liquid if use_rth else day.trading


def _refuse_too_many(asked: _Range, size: BarSize) -> None:
    if size.seconds is None:
        return
    first = max(asked.start, asked.days[0].trading[0].start)
    traded = sum(
        (min(day.trading[-1].end, asked.end) - max(day.trading[0].start, first)).total_seconds() for day in asked.days
    )
    if traded / size.seconds > _MOST_BARS:
        raise failed("Time length exceed max.")


def _cuts(market: Market, instrument: Instrument, asked: _Range, size: BarSize, use_rth: bool) -> Iterable[Cut]:
    if size.period is not None:
        return _of_periods(market, instrument, asked, size.period, use_rth)
    return _of_day_parts(market, instrument, asked, size.seconds or SECONDS, use_rth)


def _of_periods(market: Market, instrument: Instrument, asked: _Range, period: Period, use_rth: bool) -> Iterator[Cut]:
    days = asked.days if period == "day" else _whole_periods(instrument, asked, period)
    for _, together in groupby(days, lambda day: _period_of(day.day, period)):
        group = list(together)
        totals = [found for day in group if (found := _day_totals(market, instrument, day, asked.limit, use_rth))]
        if totals:
            yield Cut(group[len(totals) - 1].day, merged(totals))


def _period_of(day: date, period: Period) -> tuple[int, ...]:
    if period == "week":
        return day.isocalendar()[:2]
    return (day.year, day.month) if period == "month" else (day.toordinal(),)


def _whole_periods(instrument: Instrument, asked: _Range, period: Period) -> list[DaySessions]:
    """Widen the range so that its first and last week or month are whole, up to the present."""
    first, last = asked.days[0].day, asked.days[-1].day
    days: list[DaySessions] = []
    day = first - timedelta(days=31)
    while day <= last + timedelta(days=31):
        within = _period_of(first, period) <= _period_of(day, period) <= _period_of(last, period)
        found = sessions(instrument, day)
        if within and found.trading and found.trading[0].start < asked.limit:
            days.append(found)
        day += timedelta(days=1)
    return days


def _day_totals(
    market: Market, instrument: Instrument, day: DaySessions, limit: datetime, use_rth: bool
) -> DayTotals | None:
    if limit >= day.trading[-1].end:
        return market.totals(instrument, day, use_rth)
    path = up_to(market, instrument, day, limit)
    parts = [between(path, first, end) for first, end in ranges(path, use_rth) if first < end]
    return merged(parts) if parts else None


def _of_day_parts(market: Market, instrument: Instrument, asked: _Range, seconds: int, use_rth: bool) -> Iterator[Cut]:
    for day in asked.days:
        path = up_to(market, instrument, day, asked.limit)
        start = path.start
        lowest = (asked.start - start).total_seconds()
        highest = (asked.end - start).total_seconds()
        if seconds < SECONDS:
            marks = mark_source(market, instrument, day, asked.limit)
            parts = of_seconds(path, marks, ranges(path, use_rth), seconds, lowest, highest)
        else:
            step = seconds // SECONDS
            local = start.astimezone(zone_of(instrument))
            parts = of_minutes(path, ranges(path, use_rth), step, local.hour * 60 + local.minute, lowest, highest)
        for offset, totals in parts:
            yield Cut(start + timedelta(seconds=offset), totals)
