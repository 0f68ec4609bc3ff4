"""When each market trades: extended and regular sessions, holidays, time zones.

A session belongs to its trade date: the forex session of a Monday begins on Sunday evening.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from simulated_gateway import holidays
from simulated_gateway.holidays import HolidayRule
from simulated_gateway.instruments import Instrument

_DAY = timedelta(days=1)

#: How many days the gateway's hours strings cover, today included.
DAYS_ANNOUNCED = 6


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open stretch of time, aware UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class DaySessions:
    """One trade date: all trading (extended hours included) and the regular, liquid hours. Empty where closed."""

    day: date
    trading: tuple[Span, ...]
    liquid: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Hours of one market, in its own wall time.

    A pair whose first time is later than (or the same as) its second begins on the day before the trade date;
    `whole_days` markets run from midnight to midnight instead.
    """

    zone: str
    #: The zone as the gateway names it in contractDetails.
    zone_id: str
    trading: tuple[tuple[time, time], ...]
    liquid: tuple[tuple[time, time], ...]
    holiday: HolidayRule
    #: On half days, when regular trading ends, and when extended trading does.
    half_day_close: tuple[time, time] | None = None
    whole_days: bool = False


def _hours(text: str) -> tuple[tuple[time, time], ...]:
    pairs = (part.split("-") for part in text.split())
    return tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in pairs)


def _calendar(
    zone: str,
    zone_id: str,
    trading: str,
    liquid: str,
    holiday: HolidayRule,
    half: str = "",
) -> Calendar:
    return Calendar(
        zone=zone,
        zone_id=zone_id,
        trading=_hours(trading),
        liquid=_hours(liquid),
        holiday=holiday,
        half_day_close=_hours(half)[0] if half else None,
    )


_NEW_YORK = ("America/New_York", "US/Eastern")

#: By name, as `Instrument.calendar` says it.
CALENDARS: dict[str, Calendar] = {
    "us_stocks": _calendar(*_NEW_YORK, "04:00-20:00", "09:30-16:00", holidays.us_stocks, "13:00-17:00"),
    "us_otc": _calendar(*_NEW_YORK, "06:00-17:00", "09:30-16:00", holidays.us_stocks, "13:00-13:00"),
    "us_options": _calendar(*_NEW_YORK, "09:30-16:00", "09:30-16:00", holidays.us_stocks, "13:00-13:00"),
    "us_index_options": _calendar(*_NEW_YORK, "09:30-16:15", "09:30-16:15", holidays.us_stocks, "13:15-13:15"),
    "us_indices": _calendar(*_NEW_YORK, "09:30-16:00", "09:30-16:00", holidays.us_stocks, "13:00-13:00"),
    "london": _calendar("Europe/London", "GB-Eire", "08:00-16:30", "08:00-16:30", holidays.london, "12:30-12:30"),
    "xetra": _calendar("Europe/Berlin", "MET", "09:00-17:30", "09:00-17:30", holidays.xetra),
    "euronext": _calendar("Europe/Paris", "MET", "09:00-17:30", "09:00-17:30", holidays.euronext, "14:05-14:05"),
    "swiss": _calendar("Europe/Zurich", "MET", "09:00-17:30", "09:00-17:30", holidays.swiss),
    "toronto": _calendar(
        "America/Toronto", "US/Eastern", "09:30-16:00", "09:30-16:00", holidays.toronto, "13:00-13:00"
    ),
    "tokyo": _calendar("Asia/Tokyo", "Japan", "09:00-11:30 12:30-15:30", "09:00-11:30 12:30-15:30", holidays.tokyo),
    "forex": _calendar(*_NEW_YORK, "17:15-17:00", "17:15-17:00", holidays.forex),
    "cme_equity": _calendar(
        "America/Chicago", "US/Central", "17:00-16:00", "08:30-16:00", holidays.cme_futures, "12:00-12:00"
    ),
    "nymex": _calendar(*_NEW_YORK, "18:00-17:00", "09:00-14:30", holidays.cme_futures, "13:30-13:30"),
    "crypto": Calendar(
        zone="America/New_York",
        zone_id="US/Eastern",
        trading=_hours("00:00-00:00"),
        liquid=_hours("00:00-00:00"),
        holiday=holidays.never,
        whole_days=True,
    ),
}


def zone_of(instrument: Instrument) -> ZoneInfo:
    """Give the exchange's time zone."""
    return ZoneInfo(instrument.time_zone)


def sessions(instrument: Instrument, day: date) -> DaySessions:
    """Give the sessions of a trade date (the exchange's own date)."""
    return sessions_of(instrument.calendar, day)


@lru_cache(maxsize=20_000)
def sessions_of(calendar_name: str, day: date) -> DaySessions:
    """Give the sessions of a trade date in a calendar of `CALENDARS`."""
    calendar = CALENDARS[calendar_name]
    kind = calendar.holiday(day)
    if kind == "closed":
        return DaySessions(day, (), ())
    liquid_end, trading_end = calendar.half_day_close or (None, None)
    if kind != "half":
        liquid_end = trading_end = None
    return DaySessions(
        day,
        trading=_spans(calendar, day, calendar.trading, trading_end),
        liquid=_spans(calendar, day, calendar.liquid, liquid_end),
    )


def _spans(
    calendar: Calendar, day: date, hours: tuple[tuple[time, time], ...], latest: time | None
) -> tuple[Span, ...]:
    zone = ZoneInfo(calendar.zone)
    spans: list[Span] = []
    for start, end in hours:
        first, last = day, day
        if calendar.whole_days:
            last = day + _DAY
        elif start >= end:
            first = day - _DAY
        closing = min(end, latest) if latest else end
        span = Span(
            datetime.combine(first, start, zone).astimezone(UTC),
            datetime.combine(last, closing, zone).astimezone(UTC),
        )
        if span.start < span.end:
            spans.append(span)
    return tuple(spans)


def is_open(instrument: Instrument, moment: datetime, outside_rth: bool) -> bool:
    """Say whether the instrument trades at this (aware) moment; only regular hours count unless `outside_rth`."""
    day = latest_sessions(instrument, moment)
    return any(span.start <= moment < span.end for span in (day.trading if outside_rth else day.liquid))


def latest_sessions(instrument: Instrument, moment: datetime) -> DaySessions:
    """Give the newest trade date whose trading has begun by this (aware) moment."""
    return latest_sessions_of(instrument.calendar, moment)


def latest_sessions_of(calendar_name: str, moment: datetime) -> DaySessions:
    """Give the newest trade date in a calendar of `CALENDARS` whose trading has begun by this (aware) moment."""
    zone = ZoneInfo(CALENDARS[calendar_name].zone)
    return _newest(calendar_name, moment.astimezone(zone).date() + _DAY, lambda day: day.trading[0].start <= moment)


def previous_sessions(instrument: Instrument, day: date) -> DaySessions:
    """Give the newest trade date before this one on which the market is open."""
    return _newest(instrument.calendar, day - _DAY, lambda _: True)


def _newest(calendar_name: str, day: date, accept: Callable[[DaySessions], bool]) -> DaySessions:
    while True:
        found = sessions_of(calendar_name, day)
        if found.trading and accept(found):
            return found
        day -= _DAY


def trading_hours(instrument: Instrument, today: date) -> str:
    """Give contractDetails' tradingHours for the coming days, in the exchange's wall time.

    The format is the gateway's: `20261123:0400-20261123:2000;20261124:CLOSED`, spans of one day joined by commas.
    """
    return _hours_text(instrument, today, liquid=False)


def liquid_hours(instrument: Instrument, today: date) -> str:
    """Give contractDetails' liquidHours (regular hours only), in the format of `trading_hours`."""
    return _hours_text(instrument, today, liquid=True)


def _hours_text(instrument: Instrument, today: date, *, liquid: bool) -> str:
    zone = zone_of(instrument)
    parts: list[str] = []
    for offset in range(DAYS_ANNOUNCED):
        day = sessions(instrument, today + offset * _DAY)
        spans = day.liquid if liquid else day.trading
        texts = [f"{span.start.astimezone(zone):%Y%m%d:%H%M}-{span.end.astimezone(zone):%Y%m%d:%H%M}" for span in spans]
        parts.append(",".join(texts) or f"{day.day:%Y%m%d}:CLOSED")
    return ";".join(parts)
