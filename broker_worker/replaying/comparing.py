"""Two answers to the same job, field by field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

READ_AT = frozenset({"as_of", "timestamp", "updated", "at"})
"""Fields that say when the worker heard or answered something; they may differ by as long as the job took."""

_ABSENT = "(absent)"
SLACK = timedelta(seconds=2)
_OWN_REFERENCE = re.compile(r"mcp-[a-z2-7]{26}")


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two answers part."""

    field: str
    recorded: object
    replayed: object

    def __str__(self) -> str:
        """In words."""
        return f"{self.field}: recorded {self.recorded!r}, replayed {self.replayed!r}"


class Comparison:
    """Compares the answers of one replay, in the sequence of the jobs.

    Order ids are drawn as requests happen to go out, so that another id may name the same order: then always the same.
    """

    def __init__(self) -> None:
        self._order_ids: dict[Any, Any] = {}

    def first_difference(self, recorded: Any, replayed: Any, took: timedelta) -> Difference | None:
        """The first field, from above, in which two answers differ; None where they say the same."""
        mine, theirs = dict(_leaves(recorded, "answer")), dict(_leaves(replayed, "answer"))
        for field in [*mine, *(field for field in theirs if field not in mine)]:
            one, other = mine.get(field, _ABSENT), theirs.get(field, _ABSENT)
            name = field.rpartition(".")[2]
            same = self._same_order(one, other) if name == "order_id" else _same(one, other, took, name)
            if not same:
                return Difference(field, one, other)
        return None

    def _same_order(self, recorded: Any, replayed: Any) -> bool:
        if not isinstance(recorded, int) or not isinstance(replayed, int):
            return _same(recorded, replayed, timedelta(), "")
        if recorded not in self._order_ids and replayed not in self._order_ids.values():
            self._order_ids[recorded] = replayed
        return bool(self._order_ids.get(recorded) == replayed)


def _leaves(value: Any, field: str) -> Iterator[tuple[str, Any]]:
    """Every value that holds no others, with the way to it; an empty list or object is one too."""
    if isinstance(value, dict) and value:
        for name, item in cast("dict[str, Any]", value).items():
            yield from _leaves(item, f"{field}.{name}")
    elif isinstance(value, list) and value:
        for index, item in enumerate(cast("Any", value)):
            yield from _leaves(item, f"{field}[{index}]")
    else:
        yield field, value


def _same(recorded: Any, replayed: Any, took: timedelta, name: str) -> bool:
    if recorded == replayed and type(recorded) is type(replayed):
        return True
    if not isinstance(recorded, str) or not isinstance(replayed, str):
        return False
    if name in READ_AT:
        one, other = _moment(recorded), _moment(replayed)
        return one is not None and other is not None and abs(one - other) <= took + SLACK
    # A key is made of its caller's name, which is masked.
    return _OWN_REFERENCE.sub("mcp-", recorded) == _OWN_REFERENCE.sub("mcp-", replayed)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
