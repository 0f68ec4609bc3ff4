"""JSON as this project writes it: compact, decimals as exact numbers without an exponent, times in UTC with ``Z``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import BaseModel

_Write = Callable[[Any], str]

_string = json.encoder.encode_basestring
"""The standard library's own quoting, leaving letters beyond ASCII as they are."""


def decimal_text(value: Decimal) -> str:
    """A number as digits: ``0.0000001``, never ``1E-7``; trailing zeros after the point are dropped."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def time_text(value: datetime) -> str:
    """An aware time in UTC to the millisecond, ``2026-11-22T14:30:00.250Z``; whole seconds show none."""
    if value.tzinfo is None:
        raise ValueError("a time without a zone reached the outside")
    utc = (value if value.tzinfo is UTC else value.astimezone(UTC)).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds") + "Z"


def dumps(value: object) -> str:
    """The compact JSON text of models, mappings, sequences, decimals, times and plain values.

    Raises ``ValueError`` for a NaN, an infinity or a naive time, and ``TypeError`` for a type not named above.
    """
    kind = type(value)
    return (_writers.get(kind) or _writer_of(kind))(value)


def _writer_of(kind: type[Any]) -> _Write:
    """How values of this class are written, found once for each class."""
    writer = (
        _model(kind) if issubclass(kind, BaseModel) else next((w for c, w in _BY_BASE if issubclass(kind, c)), None)
    )
    if writer is None:
        raise TypeError(f"{kind.__name__} has no JSON form here")
    _writers[kind] = writer
    return writer


def _model(kind: type[BaseModel]) -> _Write:
    fields = [(name, f"{_string(name)}:") for name in kind.model_fields]

    def write(value: Any) -> str:
        return "{" + ",".join([start + dumps(getattr(value, name)) for name, start in fields]) + "}"

    return write


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError("a number that is not finite reached the outside")
    return decimal_text(value)


def _float(_: float) -> str:
    raise TypeError("a float reached the outside; amounts are Decimal")


def _mapping(value: Mapping[object, object]) -> str:
    return "{" + ",".join([f"{_string(str(key))}:{dumps(item)}" for key, item in value.items()]) + "}"


def _sequence(value: Sequence[object]) -> str:
    return "[" + ",".join([dumps(item) for item in value]) + "]"


_BY_BASE: tuple[tuple[type[Any], _Write], ...] = (
    (type(None), lambda _: "null"),
    (bool, lambda value: "true" if value else "false"),
    (Enum, lambda value: dumps(value.value)),
    (str, _string),
    (int, int.__repr__),
    (Decimal, _decimal),
    (datetime, lambda value: f'"{time_text(value)}"'),
    (date, lambda value: f'"{value.isoformat()}"'),
    (Mapping, _mapping),
    (Sequence, _sequence),
    (float, _float),
)
"""Tried in this sequence: a truth value is an int, an enum may be a string, a datetime is a date."""

_writers: dict[type[Any], _Write] = {}


def loads(text: str | bytes) -> Any:
    """Parse JSON, every number with a point as ``Decimal``; NaN and infinities are refused."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")
