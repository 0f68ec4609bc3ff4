"""The seeded walk: every price is a function of the seed, the instrument and the moment, never of earlier questions.

Two scales make it cheap to look anywhere. Between days, smooth noise of eight wavelengths (one to 128 days) adds up to
a walk that never strays far from the base price. Within a trade date, a bridge of one step a minute joins the levels
of its two ends; minutes are cut into seconds only where somebody looks. All prices are whole numbers of ticks.
"""

from __future__ import annotations

import hashlib
import math
import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Final

from simulated_gateway.exchange_hours import DaySessions, Span
from simulated_gateway.instruments import Instrument

_OCTAVES: Final = 8
#: Makes one day's change of the summed noise have a standard deviation of one.
_LEVEL_SCALE: Final = 0.87
#: How much of a day's change happens while the market is open; the rest is the overnight gap.
_INTRADAY_SHARE: Final = 0.8
#: The day's own wandering between its two ends, in daily standard deviations.
_WANDERING: Final = 0.9
#: How lively extended hours are beside regular ones, and which share of the volume they have.
_EXTENDED_VARIANCE: Final = 0.1
_EXTENDED_VOLUME: Final = 0.08

SECONDS: Final = 60
_MINUTE: Final = timedelta(minutes=1)

#: Half-open ranges of a day's minutes.
MinuteRange = tuple[int, int]


def noise(*key: object) -> int:
    """Give 64 bits that depend on the key alone, the same in every process and Python version."""
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=8).digest())


def _signed(*key: object) -> float:
    return noise(*key) / 2.0**63 - 1.0


@lru_cache(maxsize=50_000)
def _level(seed: int, walk: str, day_number: int) -> float:
    """Give the walk's level at the start of a day, in daily standard deviations from the base price."""
    total = 0.0
    for octave in range(_OCTAVES):
        index, within = divmod(day_number, 1 << octave)
        left, right = _lattice(seed, walk, octave, index), _lattice(seed, walk, octave, index + 1)
        total += 2.0 ** (octave / 2) * (left + (right - left) * within / (1 << octave))
    return total * _LEVEL_SCALE


@lru_cache(maxsize=100_000)
def _lattice(seed: int, walk: str, octave: int, index: int) -> float:
    return _signed(seed, walk, octave, index)


@dataclass(frozen=True)
class DayPath:
    """One trade date of one instrument, minute by minute from the first moment of trading to the last."""

    start: datetime
    #: Minutes that trade, and those of regular hours.
    trading: tuple[MinuteRange, ...]
    regular: tuple[MinuteRange, ...]
    #: In ticks, one for each minute.
    opens: array[int]
    highs: array[int]
    lows: array[int]
    closes: array[int]
    #: In lots.
    volumes: array[int]

    def minute_at(self, moment: datetime) -> tuple[int, int]:
        """Give the minute and second in force: between and after sessions, the last that traded (second 60)."""
        elapsed = int((moment - self.start).total_seconds())
        minute, second = divmod(elapsed, SECONDS)
        last = 0
        for first, end in self.trading:
            if minute < first:
                break
            if minute < end:
                return minute, second
            last = end - 1
        return last, SECONDS

    @cached_property
    def volume_before(self) -> list[int]:
        """Lots traded before each minute."""
        return list(accumulate(self.volumes, initial=0))

    @cached_property
    def regular_high(self) -> list[int]:
        """The highest price of regular hours up to and including each of their minutes."""
        return list(accumulate((self.highs[minute] for minute in self.regular_minutes), max))

    @cached_property
    def regular_low(self) -> list[int]:
        """The lowest price of regular hours up to and including each of their minutes."""
        return list(accumulate((self.lows[minute] for minute in self.regular_minutes), min))

    @cached_property
    def regular_minutes(self) -> list[int]:
        """The minutes of regular hours, ascending."""
        return [minute for first, end in self.regular for minute in range(first, end)]


def build_day(seed: int, instrument: Instrument, day: DaySessions) -> DayPath:
    """Walk one trade date."""
    start = day.trading[0].start
    trading, regular = _minute_ranges(day.trading, start), _minute_ranges(day.liquid, start)
    behaviour, number = instrument.behaviour, day.day.toordinal()
    shape = _shape(trading, regular)
    # S311: it must be repeatable, not secret. Contracts of one walk and calendar move together within the day, too.
    rng = random.Random(noise(seed, behaviour.walk, instrument.calendar, number))  # noqa: S311
    here = _level(seed, behaviour.walk, number)
    ahead = here + _INTRADAY_SHARE * (_level(seed, behaviour.walk, number + 1) - here)
    base, volatility = float(behaviour.base_price / instrument.min_tick), behaviour.daily_volatility
    points = _bridge(rng, shape, here, ahead)
    # A base price of many ticks keeps all of this far above zero.
    ticks = [int(base * math.exp(volatility * point) + 0.5) for point in points]
    opens, closes = array("q", ticks[:-1]), array("q", ticks[1:])
    # The reach of a minute beyond its ends: a share of its own standard deviation, and seldom less than a tick.
    reach, draws = base * volatility * shape.minute_deviation, rng.random
    highs = array("q", [top + int(draws() * reach + 0.7) for top in map(max, opens, closes)])
    lows = array("q", [bottom - int(draws() * reach + 0.7) for bottom in map(min, opens, closes)])
    volumes = _volumes(rng, shape, behaviour.daily_volume)
    return DayPath(start, trading, regular, opens, highs, lows, closes, volumes)


def _minute_ranges(spans: Sequence[Span], start: datetime) -> tuple[MinuteRange, ...]:
    return tuple(((span.start - start) // _MINUTE, (span.end - start) // _MINUTE) for span in spans)


@dataclass(frozen=True)
class _Shape:
    """What all trade dates with the same sessions have in common, minute by minute."""

    #: Scale of each step of the walk, in daily standard deviations.
    steps: list[float]
    #: Share of the day's variance before each minute, and 1 at the end.
    elapsed: list[float]
    #: A regular minute's own standard deviation, in daily ones.
    minute_deviation: float
    #: Share of the day's volume.
    volumes: list[float]


@lru_cache(maxsize=256)
def _shape(trading: tuple[MinuteRange, ...], regular: tuple[MinuteRange, ...]) -> _Shape:
    variances = _by_minute(trading, regular, _EXTENDED_VARIANCE, 1.0)
    total = sum(variances)
    # 12: the variance of random() is a twelfth.
    scale = _WANDERING * math.sqrt(12.0 / total)
    return _Shape(
        steps=[scale * math.sqrt(each) for each in variances],
        elapsed=[before / total for before in accumulate(variances, initial=0.0)],
        minute_deviation=_WANDERING / math.sqrt(total),
        volumes=_volume_shares(trading, regular),
    )


def _by_minute(
    trading: tuple[MinuteRange, ...], regular: tuple[MinuteRange, ...], extended_value: float, regular_value: float
) -> list[float]:
    """Spread two values over the day's minutes; what does not trade has 0."""
    values = [0.0] * trading[-1][1]
    for ranges, value in ((trading, extended_value), (regular, regular_value)):
        for first, end in ranges:
            values[first:end] = [value] * (end - first)
    return values


def _volume_shares(trading: tuple[MinuteRange, ...], regular: tuple[MinuteRange, ...]) -> list[float]:
    regular_count = sum(end - first for first, end in regular)
    extended_count = sum(end - first for first, end in trading) - regular_count
    extended = _EXTENDED_VOLUME / extended_count if extended_count else 0.0
    shares = _by_minute(trading, regular, extended, 1.0 - _EXTENDED_VOLUME * bool(extended_count))
    opening, closing = regular[0][0], regular[-1][1]
    for first, end in regular:
        for minute in range(first, end):
            # Busy at both ends and quiet at noon; 1.5 is the shape's mean.
            from_noon = 2.0 * (minute - opening) / (closing - opening) - 1.0
            shares[minute] *= (1.0 + 2.5 * from_noon**4) / (1.5 * regular_count)
    return shares


def _bridge(rng: random.Random, shape: _Shape, here: float, ahead: float) -> list[float]:
    """Walk from `here` to `ahead`, in daily standard deviations: one more point than minutes."""
    draws = rng.random
    walked = list(accumulate([(draws() - 0.5) * step for step in shape.steps], initial=here))
    missing = ahead - walked[-1]
    return [step + share * missing for step, share in zip(walked, shape.elapsed, strict=True)]


def _volumes(rng: random.Random, shape: _Shape, daily: int) -> array[int]:
    if not daily:
        return array("q", bytes(8 * len(shape.volumes)))
    draws = rng.random
    # The last draw rounds up or down by chance, so that what trades seldom has minutes without a trade.
    return array("q", [int(daily * share * (0.4 + 1.2 * draws()) + draws()) if share else 0 for share in shape.volumes])


def seconds(seed: int, instrument: Instrument, path: DayPath, minute: int) -> list[int]:
    """Cut a minute into the prices at its 61 second marks, from its open to its close by way of its high and low."""
    opening, closing = path.opens[minute], path.closes[minute]
    high, low = path.highs[minute], path.lows[minute]
    key = (instrument.behaviour.walk, instrument.calendar, instrument.strike, int(path.start.timestamp()), minute)
    rng = random.Random(noise(seed, *key))  # noqa: S311 - repeatable, not secret
    scale = (high - low + 1) * 0.35
    walked = list(accumulate(((rng.random() - 0.5) * scale for _ in range(SECONDS)), initial=0.0))
    drift = (closing - opening - walked[-1]) / SECONDS
    marks = [min(high, max(low, opening + round(step + n * drift))) for n, step in enumerate(walked)]
    marks[0], marks[-1] = opening, closing
    top = rng.randrange(1, SECONDS // 2)
    bottom = rng.randrange(SECONDS // 2, SECONDS)
    if rng.random() < 0.5:
        top, bottom = bottom, top
    marks[top], marks[bottom] = high, low
    return marks


def derived(path: DayPath, day: DaySessions, price: Callable[[int, float], int], rises: bool, volume: int,
            seed: int, name: int) -> DayPath:  # fmt: skip
    """Give the path of what is priced off another path: `price(underlying ticks, minutes since the day's start)`.

    `rises` says that the price rises with the underlying (a call) rather than falls (a put).
    """
    start = day.trading[0].start
    offset = (start - path.start) // _MINUTE
    trading, regular = _minute_ranges(day.trading, start), _minute_ranges(day.liquid, start)
    count = trading[-1][1]

    def priced(values: array[int], after: float) -> array[int]:
        # The underlying may close before its options: its last price then holds.
        last = len(values) - 1
        return array("q", [price(values[min(n + offset, last)], n + after) for n in range(count)])

    opens, closes = priced(path.opens, 0.0), priced(path.closes, 1.0)
    tops, bottoms = (path.highs, path.lows) if rises else (path.lows, path.highs)
    highs = array("q", map(max, priced(tops, 0.0), opens, closes))
    lows = array("q", map(min, priced(bottoms, 1.0), opens, closes))
    rng = random.Random(noise(seed, name, day.day.toordinal()))  # noqa: S311 - repeatable
    volumes = _volumes(rng, _shape(trading, regular), volume)
    return DayPath(start, trading, regular, opens, highs, lows, closes, volumes)


def scaled(path: DayPath, moves: Sequence[tuple[datetime, float]]) -> DayPath:
    """Give the path with its prices multiplied, from each (ascending) moment on, by the factor beside it."""
    positions = [(moment - path.start) / _MINUTE for moment, _ in moves]
    if not positions or positions[0] >= len(path.opens):
        return path
    opens, highs, lows, closes = (array("q", values) for values in (path.opens, path.highs, path.lows, path.closes))
    factor, n = 1.0, 0
    for minute in range(len(opens)):
        while n < len(moves) and positions[n] <= minute:
            factor, n = moves[n][1], n + 1
        first, within = factor, [factor]
        while n < len(moves) and positions[n] < minute + 1:
            factor, n = moves[n][1], n + 1
            within.append(factor)
        opens[minute] = max(1, round(opens[minute] * first))
        closes[minute] = max(1, round(closes[minute] * factor))
        highs[minute] = max(1, round(highs[minute] * max(within)))
        lows[minute] = max(1, round(lows[minute] * min(within)))
    return DayPath(path.start, path.trading, path.regular, opens, highs, lows, closes, path.volumes)
