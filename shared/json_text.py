"""JSON as this project writes it: compact, decimals as exact numbers without an exponent, times in UTC with ``Z``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeGuard

from pydantic import BaseModel

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
    utc = value.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds") + "Z"


def dumps(value: Any) -> str:
    """The compact JSON text of models, mappings, sequences, decimals, times and plain values.

    Raises ``ValueError`` for a NaN, an infinity or a naive time, and ``TypeError`` for a type not named above.
    """
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def _write(value: Any, put: Any) -> None:
    if value is None or value is True or value is False:
        put({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, Enum):
        _write(value.value, put)
    elif isinstance(value, str):
        put(_string(value))
    elif isinstance(value, int):
        put(str(value))
    elif isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("a number that is not finite reached the outside")
        put(decimal_text(value))
    elif isinstance(value, datetime):
        put(f'"{time_text(value)}"')
    elif isinstance(value, date):
        put(f'"{value.isoformat()}"')
    elif isinstance(value, BaseModel):
        _write({name: getattr(value, name) for name in type(value).model_fields}, put)
    else:
        _write_container(value, put)


def _write_container(value: object, put: Any) -> None:
    if _is_mapping(value):
        for index, (key, item) in enumerate(value.items()):
            put(("{" if index == 0 else ",") + _string(str(key)) + ":")
            _write(item, put)
        put("}" if value else "{}")
    elif _is_sequence(value):
        for index, item in enumerate(value):
            put("[" if index == 0 else ",")
            _write(item, put)
        put("]" if value else "[]")
    elif isinstance(value, float):
        raise TypeError("a float reached the outside; amounts are Decimal")
    else:
        raise TypeError(f"{type(value).__name__} has no JSON form here")


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence)


def loads(text: str | bytes) -> Any:
    """Parse JSON, every number with a point as ``Decimal``; NaN and infinities are refused."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")
