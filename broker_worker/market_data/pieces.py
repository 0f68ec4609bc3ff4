"""Ranges too large for one request: which pieces they are cut into, on a grid that every question shares.

A piece is a stretch of the grid. It is asked for with a margin on both sides and cut to its stretch, so that no bar is
missing or there twice, whatever the gateway counts as a day; and once it is over it is the same for everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.errors import InvalidArgument

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Grid:
    """How bars of one size are cut."""

    step: timedelta
    margin: timedelta
    """By which a request ends after its piece; it begins as much before it."""
    duration: str
    """What is asked for: the step and both margins, in the gateway's words."""
    single: timedelta
    """The longest range that one request is asked for."""
    most: int
    """Pieces in one range."""


def _seconds(step: int) -> Grid:
    stretch = timedelta(seconds=step)
    return Grid(stretch, timedelta(0), f"{step} S", stretch, 50)


def _days(step: int, duration: str, single: int) -> Grid:
    return Grid(timedelta(days=step), _DAY, duration, timedelta(days=single), 160)


_MINUTES = _days(12, "2 W", 14)
_QUARTERS = _days(26, "1 M", 31)
_HOURS = _days(170, "6 M", 366)
GRIDS: dict[str, Grid] = {
    "1 secs": _seconds(1800),
    "5 secs": _seconds(7200),
    "10 secs": _seconds(14_400),
    "15 secs": _seconds(28_800),
    "30 secs": _seconds(86_400),
    "1 min": _days(5, "1 W", 7),
    **dict.fromkeys(("2 mins", "3 mins", "5 mins"), _MINUTES),
    **dict.fromkeys(("10 mins", "15 mins", "20 mins", "30 mins"), _QUARTERS),
    **dict.fromkeys(("1 hour", "2 hours", "3 hours", "4 hours", "8 hours"), _HOURS),
}
"""A few thousand bars a request at most, as IBKR advises; daily bars and longer always fit one.

Source: TWS API, Historical Data Limitations and Duration/Bar Size.
"""


@dataclass(frozen=True, slots=True)
class Range:
    """A range in pieces, oldest first."""

    grid: Grid
    start: datetime
    end: datetime
    trading_days: int | None
    """Where the range was asked for in trading days: how many; the start is then a safe guess."""

    @property
    def pieces(self) -> list[int]:
        """Their numbers on the grid."""
        first = (self.start - _EPOCH) // self.grid.step
        last = -((_EPOCH - self.end) // self.grid.step)
        return list(range(first, last))


def piece_start(grid: Grid, number: int) -> datetime:
    """Where a piece begins; it ends where the next one begins."""
    return _EPOCH + number * grid.step


def in_pieces(bar_size: str, duration: str, end: datetime) -> Range | None:
    """The range in pieces; None where one request will do.

    Raises ``InvalidArgument`` for one that would keep the gateway from everybody else.
    """
    grid = GRIDS.get(bar_size)
    count, unit = int(duration.split(maxsplit=1)[0]), duration.split()[1]
    length = {
        "S": timedelta(seconds=count),
        "D": count * _DAY,
        "W": 7 * count * _DAY,
        "M": 30.5 * count * _DAY,
        "Y": 365.25 * count * _DAY,
    }[unit]
    if grid is None or length <= grid.single:
        return None
    if unit == "D":  # weekends and holidays stand between
        length = length * 7 / 5 + 5 * _DAY
    found = Range(grid, end - length, end, count if unit == "D" else None)
    if (pieces := len(found.pieces)) > grid.most:
        raise InvalidArgument(
            f"{duration} of {bar_size} bars are {pieces} requests to the gateway; at most {grid.most} are made for one "
            "call",
            action="ask for a shorter duration or larger bars",
        )
    return found
