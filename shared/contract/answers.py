"""What the answers have in common: models with described fields, and lists that fit an agent's context."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from shared import json_text
from shared.errors import InvalidArgument

Number = Annotated[Decimal, PlainSerializer(float, when_used="json"), WithJsonSchema({"type": "number"})]
"""An exact amount; a JSON number outside, never NaN, never an invented zero."""

Moment = Annotated[
    datetime,
    PlainSerializer(json_text.time_text, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An aware time, UTC with Z outside."""

MomentOrDate = Annotated[
    datetime | date,
    PlainSerializer(lambda value: json_text.dumps(value).strip('"'), when_used="json"),
    WithJsonSchema({"type": "string"}),
]
"""Intraday: UTC with Z. Daily and longer: the exchange's own date."""

MAX_CHARACTERS = 20_000
"""Of one answer's JSON text; several hosts cut or spill what is longer."""

_ENVELOPE = 1_000
"""Characters kept free for what stands around a list's items."""


class Answer(BaseModel):
    """Every tool's answer: an object, all fields always there, absent values null."""

    model_config = ConfigDict(extra="forbid", frozen=True)


LOCAL_SYMBOL: Final = "The exchange's own symbol, which tells options and futures of one symbol apart."


class Item(BaseModel):
    """One row of a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ItemT = TypeVar("ItemT", bound=Item)


class Listing(Answer, Generic[ItemT]):
    """A list, or as much of it as fits one answer."""

    items: list[ItemT] = Field(description="The rows.")
    count: int = Field(description="How many rows this answer holds.")
    truncated: bool = Field(description="Whether there are more; next_cursor fetches them.")
    next_cursor: str | None = Field(description="Pass as cursor to go on; null at the end.")
    as_of: Moment = Field(description="When the worker knew this, UTC.")
    note: str | None = Field(
        default=None, description="What was read differently from how it was written, or is missing."
    )

    @classmethod
    def page(cls, rows: Sequence[ItemT], *, cursor: str | None, as_of: datetime, note: str | None = None) -> Self:
        """The rows from the cursor on, as many as fit; the cursor is the number of rows already seen."""
        start = 0 if cursor is None else cursor_position(cursor)
        fitting = rows[start : start + fits(rows[start:])]
        end = start + len(fitting)
        more = end < len(rows)
        return cls(
            items=list(fitting),
            count=len(fitting),
            truncated=more,
            next_cursor=str(end) if more else None,
            as_of=as_of,
            note=note,
        )


def fits(rows: Sequence[Item], *, limit: int = MAX_CHARACTERS - _ENVELOPE) -> int:
    """How many of the rows, from the first on, one answer may hold; at least one where there is any."""
    used = 0
    for number, row in enumerate(rows):
        used += len(json_text.dumps(row)) + 1
        if used > limit and number:
            return number
    return len(rows)


def cursor_position(cursor: str) -> int:
    """The row a cursor points to; raises ``InvalidArgument`` for one this server did not make."""
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 9:
        raise InvalidArgument("cursor is not one this server gave", action="pass next_cursor of the previous answer")
    return int(cursor)
