"""Values as the gateway sends them, turned once into exact and honest ones.

The decoder hands out binary floats; ``repr`` gives back the digits that were on the wire. Unset values come as NaN,
as 1.7976931348623157e308 or as 2147483647; all mean absent here.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import cast

from shared import json_text

_UNSET_FROM = 1e300
_UNSET_INTEGER = 2**31 - 1
_MARKUP = re.compile(r"</?[A-Za-z][^<>]{0,80}>")


def exact(value: float | Decimal | str | None) -> Decimal | None:
    """The number that was on the wire; None where it was unset."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        value = float(value) if "e" in value.lower() else Decimal(value)
    if isinstance(value, Decimal):
        return value if value.is_finite() and abs(value) < _UNSET_FROM else None
    if math.isnan(value) or abs(value) > _UNSET_FROM:
        return None
    number = Decimal(repr(value))
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number


def exact_or_zero(value: float | Decimal | str | None) -> Decimal:
    """For quantities that the protocol always carries, where empty means none."""
    number = exact(value)
    return Decimal(0) if number is None else number


def positive(value: float | Decimal | str | None) -> Decimal | None:
    """For averages and prices that the gateway fills with 0 before there is one."""
    number = exact(value)
    return number or None


def whole(value: int | str | None) -> int | None:
    """An integer; None where it was unset or 0, which no id of the gateway is."""
    number = int(value or 0)
    return None if number in {0, _UNSET_INTEGER} else number


class WireDecimal(Decimal):
    """A number that the client library writes with ``str`` and that must never read ``1E-7`` on the wire."""

    def __str__(self) -> str:
        return json_text.decimal_text(self)


def wire_number(value: Decimal) -> float:
    """For the fields of the client library that are typed as floats and written with ``str``: digits, exactly."""
    return cast("float", WireDecimal(value))


def wire_time(moment: datetime) -> str:
    """An aware time as the gateway takes it without a zone's name, in UTC. Source: TWS API, ``yyyymmdd-HH:MM:SS``."""
    return moment.astimezone(UTC).strftime("%Y%m%d-%H:%M:%S")


def bar_time(text: str) -> datetime | date:
    """A bar's start: epoch seconds for intraday, ``yyyymmdd`` for daily and longer (``formatDate=2``)."""
    if len(text) == 8:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    return datetime.fromtimestamp(int(text), UTC)


def plain_text(text: str) -> str:
    """A gateway's message without its markup: rejections come with ``<br>``."""
    words = " ".join(_MARKUP.sub(" ", text).split())
    return words.removesuffix("reason:").rstrip(" -")
