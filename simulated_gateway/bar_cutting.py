"""Cuts a day's path into bars, and off at the present."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from simulated_gateway.exchange_hours import DaySessions
from simulated_gateway.instruments import Instrument
from simulated_gateway.market import DayTotals, Market
from simulated_gateway.price_paths import SECONDS, DayPath, MinuteRange


def merged(parts: Sequence[DayTotals]) -> DayTotals:
    """Join neighbouring parts, ascending, into one."""
    return DayTotals(
        open=parts[0].open,
        high=max(part.high for part in parts),
        low=min(part.low for part in parts),
        close=parts[-1].close,
        volume=sum(part.volume for part in parts),
    )


def ranges(path: DayPath, use_rth: bool) -> tuple[MinuteRange, ...]:
    """Give the minutes of regular hours, or all that trade."""
    return path.regular if use_rth else path.trading


def up_to(market: Market, instrument: Instrument, day: DaySessions, limit: datetime) -> DayPath:
    """Cut a path off at the present: its last minute ends with the price of now."""
    path = market.path(instrument, day)
    if limit >= day.trading[-1].end:
        return path
    minute, second = path.minute_at(limit)
    count, now = minute + 1, market.last_ticks(instrument, limit)
    seen = [*market.marks(instrument, day, minute)[:second], now]

    def so_far(values: array[int], last: int) -> array[int]:
        return array("q", [*values[:minute], last])

    return replace(
        path,
        trading=_clipped(path.trading, count),
        regular=_clipped(path.regular, count),
        opens=so_far(path.opens, seen[0]),
        highs=so_far(path.highs, max(seen)),
        lows=so_far(path.lows, min(seen)),
        closes=so_far(path.closes, now),
        volumes=so_far(path.volumes, path.volumes[minute] * second // SECONDS),
    )


def _clipped(ranges: tuple[MinuteRange, ...], count: int) -> tuple[MinuteRange, ...]:
    return tuple((first, min(end, count)) for first, end in ranges if first < count)


def of_minutes(
    path: DayPath, ranges: tuple[MinuteRange, ...], step: int, midnight: int, lowest: float, highest: float
) -> Iterator[tuple[int, DayTotals]]:
    """Cut whole minutes at the multiples of `step` on the wall clock; `midnight` is the path's start on it."""
    for first, end in ranges:
        on_the_clock = range(first + step - (first + midnight) % step, end, step)
        for here, there in pairwise([first, *on_the_clock, end]):
            if here * SECONDS < highest and there * SECONDS > lowest:
                yield here * SECONDS, between(path, here, there)


def between(path: DayPath, here: int, there: int) -> DayTotals:
    """Sum up the minutes from `here` up to but not including `there`."""
    if there - here == 1:
        return DayTotals(path.opens[here], path.highs[here], path.lows[here], path.closes[here], path.volumes[here])
    return DayTotals(
        open=path.opens[here],
        high=max(path.highs[here:there]),
        low=min(path.lows[here:there]),
        close=path.closes[there - 1],
        volume=sum(path.volumes[here:there]),
    )


def mark_source(
    market: Market, instrument: Instrument, day: DaySessions, limit: datetime
) -> Callable[[int], list[int]]:
    """Give each minute's second marks, cut off at the present."""
    now_minute, now_second = market.path(instrument, day).minute_at(limit)

    def marks(minute: int) -> list[int]:
        whole = market.marks(instrument, day, minute)
        if minute != now_minute or limit >= day.trading[-1].end:
            return whole
        return [*whole[:now_second], market.last_ticks(instrument, limit)]

    return marks


def of_seconds(
    path: DayPath,
    marks: Callable[[int], list[int]],
    ranges: tuple[MinuteRange, ...],
    step: int,
    lowest: float,
    highest: float,
) -> Iterator[tuple[int, DayTotals]]:
    """Cut the minutes into bars of `step` seconds; offsets are seconds from the start of the path."""
    for first, end in ranges:
        from_minute = max(first, int(lowest // SECONDS))
        to_minute = min(end, int(-(-highest // SECONDS)))
        for minute in range(from_minute, to_minute):
            seen = marks(minute)
            last = max(1, len(seen) - 1)
            for here in range(0, last, step):
                offset = minute * SECONDS + here
                if offset < highest and offset + step > lowest:
                    part = seen[here : here + step + 1]
                    lots = path.volumes[minute]
                    volume = lots * min(here + step, last) // last - lots * here // last
                    yield offset, DayTotals(part[0], max(part), min(part), part[-1], volume)
