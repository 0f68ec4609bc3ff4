"""Times as the gateway writes and reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: The time zone that this gateway was configured with, and the gateway's name for it.
GATEWAY_ZONE = ZoneInfo("America/New_York")
GATEWAY_ZONE_ID = "US/Eastern"
#: From here on times carry their zone. TWS API: `INSTRUMENT_TIMEZONE`.
TIME_ZONES = 174

_TIME = re.compile(r"(\d{8})(?:(-| +)(\d\d:\d\d(?::\d\d)?))?(?: +(\S+))?")


class InvalidTime(ValueError):
    """A time that the gateway cannot read: error 10314."""


def exchange_time(moment: datetime, version: int) -> str:
    """A moment in the gateway's zone: `20231203 20:15:20 US/Eastern`, before version 174 `20231203  20:15:20`."""
    local = moment.astimezone(GATEWAY_ZONE)
    if version < TIME_ZONES:
        return f"{local:%Y%m%d  %H:%M:%S}"
    return f"{local:%Y%m%d %H:%M:%S} {GATEWAY_ZONE_ID}"


def hello_time(moment: datetime) -> str:
    """The time in the handshake: `20231203 20:15:20 EST`."""
    return f"{moment.astimezone(GATEWAY_ZONE):%Y%m%d %H:%M:%S %Z}"


def read_time(text: str) -> datetime:
    """A client's time: `yyyymmdd-hh:mm:ss` is UTC, `yyyymmdd hh:mm:ss [zone]` the gateway's or the named zone.

    Raises:
        InvalidTime: it is none of these.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise InvalidTime(text)
    day, separator, clock, zone_name = found.groups()
    try:
        zone = ZoneInfo(zone_name) if zone_name else (UTC if separator == "-" else GATEWAY_ZONE)
        return _parse(day, clock or "00:00:00").replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, ZoneInfoNotFoundError, OSError) as error:
        raise InvalidTime(text) from error


def _parse(day: str, clock: str) -> datetime:
    if clock.count(":") == 1:
        clock += ":00"
    return datetime.strptime(day + clock, "%Y%m%d%H:%M:%S")  # noqa: DTZ007 - the zone is set by the caller
