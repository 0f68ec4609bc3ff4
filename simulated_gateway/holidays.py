"""Which days an exchange is closed or closes early, by rule and not by list, so that no year runs out.

Each rule answers for one date in the exchange's own zone. The rules are those of the exchanges' published calendars
for 2024 to 2028; the few closures that follow no rule are in `_SINGLE_CLOSURES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from typing import Literal

DayKind = Literal["open", "half", "closed"]
HolidayRule = Callable[[date], DayKind]

_DAY = timedelta(days=1)
_MONDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 3, 4, 5, 6

#: Closures of the US stock market that no rule foretells: the national day of mourning for President Carter.
_SINGLE_CLOSURES = frozenset({date(2025, 1, 9)})


def nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    """Give the n-th (1 is the first, -1 the last) such weekday (0 is Monday) of a month."""
    if n > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))
    last = date(year + month // 12, month % 12 + 1, 1) - _DAY
    return last - timedelta(days=(last.weekday() - weekday) % 7)


@cache
def easter_sunday(year: int) -> date:
    """Give the Gregorian Easter Sunday (the anonymous, or Meeus, algorithm)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    leap_centuries, century_rest = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - correction + 15) % 30
    leaps, leap_rest = divmod(rest, 4)
    to_sunday = (32 + 2 * century_rest + 2 * leaps - epact - leap_rest) % 7
    late = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _easter(year: int, offset: int) -> date:
    return easter_sunday(year) + timedelta(days=offset)


def us_stocks(day: date) -> DayKind:
    """NYSE and NASDAQ: ten holidays a year, 13:00 closes around Independence Day, Thanksgiving and Christmas."""
    if day.weekday() >= _SATURDAY or day in _us_holidays(day.year) or day in _SINGLE_CLOSURES:
        return "closed"
    return "half" if day in _us_half_days(day.year) else "open"


@cache
def _us_holidays(year: int) -> frozenset[date]:
    fixed = [_us_observed(date(year, month, day)) for month, day in ((6, 19), (7, 4), (12, 25))]
    new_year = date(year, 1, 1)
    # A New Year's Day on a Saturday is not observed: the Friday before belongs to the books of the old year.
    fixed.append(new_year if new_year.weekday() == _SATURDAY else _us_observed(new_year))
    return frozenset(
        {
            *fixed,
            nth_weekday(year, 1, _MONDAY, 3),
            nth_weekday(year, 2, _MONDAY, 3),
            _easter(year, -2),
            nth_weekday(year, 5, _MONDAY, -1),
            nth_weekday(year, 9, _MONDAY, 1),
            nth_weekday(year, 11, _THURSDAY, 4),
        }
    )


def _us_observed(day: date) -> date:
    return day + {_SATURDAY: -_DAY, _SUNDAY: _DAY}.get(day.weekday(), timedelta(0))


@cache
def _us_half_days(year: int) -> frozenset[date]:
    return frozenset({date(year, 7, 3), nth_weekday(year, 11, _THURSDAY, 4) + _DAY, date(year, 12, 24)})


def cme_futures(day: date) -> DayKind:
    """CME Globex by trade date: closed three days a year, a midday halt on the other US holidays."""
    if day.weekday() >= _SATURDAY:
        return "closed"
    if day in {_us_observed(date(day.year, 1, 1)), _easter(day.year, -2), _us_observed(date(day.year, 12, 25))}:
        return "closed"
    return "half" if day in _us_holidays(day.year) or day in _us_half_days(day.year) else "open"


def london(day: date) -> DayKind:
    """LSE: bank holidays of England and Wales, 12:30 closes before Christmas and New Year."""
    year = day.year
    if day.weekday() >= _SATURDAY or day in _london_holidays(year):
        return "closed"
    last_before = {_weekday_before(date(year, 12, 25)), _weekday_before(date(year + 1, 1, 1))}
    return "half" if day in last_before else "open"


@cache
def _london_holidays(year: int) -> frozenset[date]:
    return frozenset(
        {
            *_substituted(date(year, 1, 1)),
            _easter(year, -2),
            _easter(year, 1),
            nth_weekday(year, 5, _MONDAY, 1),
            nth_weekday(year, 5, _MONDAY, -1),
            nth_weekday(year, 8, _MONDAY, -1),
            *_substituted(date(year, 12, 25), date(year, 12, 26)),
        }
    )


def _substituted(*holidays: date) -> list[date]:
    """Move holidays that fall on a weekend to the next free weekdays."""
    moved: list[date] = []
    for holiday in holidays:
        day = holiday
        while day.weekday() >= _SATURDAY or day in moved:
            day += _DAY
        moved.append(day)
    return moved


def _weekday_before(day: date) -> date:
    day -= _DAY
    while day.weekday() >= _SATURDAY:
        day -= _DAY
    return day


def xetra(day: date) -> DayKind:
    """Xetra: no half days; 24 and 31 December are closed."""
    closed = {(1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)}
    if day.weekday() >= _SATURDAY or (day.month, day.day) in closed or day in _good_friday_and_monday(day.year):
        return "closed"
    return "open"


@cache
def _good_friday_and_monday(year: int) -> frozenset[date]:
    return frozenset({_easter(year, -2), _easter(year, 1)})


def euronext(day: date) -> DayKind:
    """Euronext (Paris, Amsterdam): 14:05 closes on 24 and 31 December."""
    closed = {(1, 1), (5, 1), (12, 25), (12, 26)}
    if day.weekday() >= _SATURDAY or (day.month, day.day) in closed or day in _good_friday_and_monday(day.year):
        return "closed"
    return "half" if (day.month, day.day) in {(12, 24), (12, 31)} else "open"


def swiss(day: date) -> DayKind:
    """SIX Swiss Exchange: also Berchtold's Day, Ascension, Whit Monday and the National Day."""
    closed = {(1, 1), (1, 2), (5, 1), (8, 1), (12, 24), (12, 25), (12, 26), (12, 31)}
    moving = {_easter(day.year, offset) for offset in (-2, 1, 39, 50)}
    return "closed" if day.weekday() >= _SATURDAY or (day.month, day.day) in closed or day in moving else "open"


def toronto(day: date) -> DayKind:
    """TSX: a 13:00 close on 24 December."""
    if day.weekday() >= _SATURDAY or day in _toronto_holidays(day.year):
        return "closed"
    return "half" if (day.month, day.day) == (12, 24) else "open"


@cache
def _toronto_holidays(year: int) -> frozenset[date]:
    before_25_may = date(year, 5, 24)
    return frozenset(
        {
            *_substituted(date(year, 1, 1)),
            nth_weekday(year, 2, _MONDAY, 3),
            _easter(year, -2),
            before_25_may - timedelta(days=before_25_may.weekday()),
            *_substituted(date(year, 7, 1)),
            nth_weekday(year, 8, _MONDAY, 1),
            nth_weekday(year, 9, _MONDAY, 1),
            nth_weekday(year, 10, _MONDAY, 2),
            *_substituted(date(year, 12, 25), date(year, 12, 26)),
        }
    )


def tokyo(day: date) -> DayKind:
    """TSE (TSEJ to the gateway): national holidays and 31 December to 3 January."""
    if day.weekday() >= _SATURDAY or (day.month, day.day) in {(1, 1), (1, 2), (1, 3), (12, 31)}:
        return "closed"
    return "closed" if day in _japanese_holidays(day.year) else "open"


@cache
def _japanese_holidays(year: int) -> frozenset[date]:
    fixed = ((2, 11), (2, 23), (4, 29), (5, 3), (5, 4), (5, 5), (8, 11), (11, 3), (11, 23))
    named = {date(year, month, day) for month, day in fixed}
    named |= {nth_weekday(year, month, _MONDAY, n) for month, n in ((1, 2), (7, 3), (9, 3), (10, 2))}
    # The mean sun's passage, good for 1980 to 2099 (the formula of the National Astronomical Observatory's tables).
    for month, at_1980 in ((3, 20.8431), (9, 23.2488)):
        passage = at_1980 + 0.242194 * (year - 1980) - (year - 1980) // 4
        named.add(date(year, month, math.floor(passage)))
    substitutes: set[date] = set()
    for holiday in sorted(named):
        if holiday.weekday() == _SUNDAY:
            substitute = holiday + _DAY
            while substitute in named:
                substitute += _DAY
            substitutes.add(substitute)
    # A weekday between two holidays is one itself (September 2026).
    between = {day + _DAY for day in named if day + 2 * _DAY in named and day + _DAY not in named}
    return frozenset(named | substitutes | between)


def forex(day: date) -> DayKind:
    """Spot currencies by trade date: weekdays but Christmas and New Year's Day."""
    return "closed" if day.weekday() >= _SATURDAY or (day.month, day.day) in {(1, 1), (12, 25)} else "open"


def never(day: date) -> DayKind:  # noqa: ARG001 - every rule takes the date
    """Crypto: open every day."""
    return "open"
