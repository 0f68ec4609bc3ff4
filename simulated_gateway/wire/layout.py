"""How a message's layout is written down: as a table of names, which both reads and writes it.

A layout is a sequence of blocks. A block is a run of plain fields, a counted list, or an order's conditions;
it may belong to some server versions only, or depend on a field that came before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Protocol

#: Texts that mean "no value" in a numeric field, whichever client wrote it.
ABSENT_NUMBERS = frozenset({"", "2147483647", "-2147483648", "9223372036854775807", "Infinite", "inf", "nan"})
#: From here on a number is some client's rendering of UNSET_DOUBLE.
ABSENT_MAGNITUDE = Decimal("1e300")


class UnreadableMessage(Exception):
    """A well-framed message whose fields do not fit its layout."""


@dataclass(slots=True)
class Record:
    """A message's fields by name, as text; lists by name, each item again by name."""

    values: dict[str, str] = field(default_factory=dict[str, str])
    items: dict[str, list[dict[str, str]]] = field(default_factory=dict[str, list[dict[str, str]]])

    def text(self, name: str) -> str:
        """The field as it was sent; empty where the client did not send it."""
        return self.values.get(name, "")

    def integer(self, name: str, default: int = 0) -> int:
        """The field as an integer; `default` where it is absent or unset.

        Raises:
            UnreadableMessage: it is no number.
        """
        number = self.decimal(name)
        return default if number is None else int(number)

    def decimal(self, name: str) -> Decimal | None:
        """The field as a number; None where it is absent or unset.

        Raises:
            UnreadableMessage: it is no number.
        """
        text = self.text(name).strip()
        if text in ABSENT_NUMBERS:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            message = f"{name}: {text[:40]!r} is not a number"
            raise UnreadableMessage(message) from None
        if not number.is_finite() or abs(number) >= ABSENT_MAGNITUDE:
            return None
        return number

    def flag(self, name: str) -> bool:
        """The field as a yes or no, whether the client writes 1 or true."""
        return self.text(name).strip().lower() in {"1", "true"}


Condition = Callable[[Record], bool]


class Cursor:
    """The unread fields of a message."""

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = fields
        self._next = 0

    def take(self, what: str) -> str:
        """The next field.

        Raises:
            UnreadableMessage: there is none.
        """
        if self._next >= len(self._fields):
            message = f"the message ends before {what}"
            raise UnreadableMessage(message)
        self._next += 1
        return self._fields[self._next - 1]

    def take_count(self, what: str) -> int:
        """The next field as the number of items that follow; an empty one is zero.

        Raises:
            UnreadableMessage: it is no count.
        """
        text = self.take(what)
        if not text:
            return 0
        if not text.isascii() or not text.isdigit() or int(text) > len(self._fields):
            message = f"{what}: {text[:20]!r} is not a count"
            raise UnreadableMessage(message)
        return int(text)

    @property
    def rest(self) -> list[str]:
        """What nobody has taken."""
        return list(self._fields[self._next :])


class Block(Protocol):
    """A part of a layout."""

    def read(self, cursor: Cursor, record: Record, version: int) -> None:
        """Take this block's fields from the message."""
        ...

    def write(self, out: list[str], record: Record, version: int) -> None:
        """Append this block's fields to the message."""
        ...


@dataclass(frozen=True, slots=True)
class Fields:
    """Plain fields in wire order, named in one string."""

    names: str
    #: The first server version that has them, and the first that no longer has them.
    since: int = 0
    before: int = 1_000
    #: What earlier fields must say for these to follow.
    when: Condition | None = None

    def _present(self, record: Record, version: int) -> bool:
        return self.since <= version < self.before and (self.when is None or self.when(record))

    def read(self, cursor: Cursor, record: Record, version: int) -> None:
        """Take this block's fields from the message."""
        if self._present(record, version):
            for name in self.names.split():
                record.values[name] = cursor.take(name)

    def write(self, out: list[str], record: Record, version: int) -> None:
        """Append this block's fields to the message."""
        if self._present(record, version):
            out.extend(record.values.get(name, "") for name in self.names.split())


@dataclass(frozen=True, slots=True)
class Items:
    """A count, then that many items of the same fields."""

    name: str
    names: str
    when: Condition | None = None

    def read(self, cursor: Cursor, record: Record, version: int) -> None:
        """Take this block's fields from the message."""
        del version
        if self.when is None or self.when(record):
            count = cursor.take_count(self.name)
            record.items[self.name] = [
                {name: cursor.take(f"{self.name}.{name}") for name in self.names.split()} for _ in range(count)
            ]

    def write(self, out: list[str], record: Record, version: int) -> None:
        """Append this block's fields to the message."""
        del version
        if self.when is None or self.when(record):
            items = record.items.get(self.name, [])
            out.append(str(len(items)))
            for item in items:
                out.extend(item.get(name, "") for name in self.names.split())


#: Fields of an order condition after its type. TWS API: price 1, time 3, margin 4, execution 5, volume 6, percent 7.
CONDITION_SIZES = {"1": 6, "3": 3, "4": 3, "5": 4, "6": 5, "7": 5}


@dataclass(frozen=True, slots=True)
class Conditions:
    """An order's conditions: a count, each condition by its type, then two flags that exist only with conditions."""

    def read(self, cursor: Cursor, record: Record, version: int) -> None:
        """Take the conditions from the message, as they are."""
        del version
        conditions: list[dict[str, str]] = []
        for _ in range(cursor.take_count("conditions")):
            kind = cursor.take("condition type")
            if kind not in CONDITION_SIZES:
                message = f"a condition of unknown type {kind[:20]!r}"
                raise UnreadableMessage(message)
            raw = [cursor.take("condition") for _ in range(CONDITION_SIZES[kind])]
            conditions.append({"type": kind, "raw": "\0".join(raw)})
        record.items["conditions"] = conditions
        if conditions:
            record.values["conditions_ignore_rth"] = cursor.take("conditions_ignore_rth")
            record.values["conditions_cancel_order"] = cursor.take("conditions_cancel_order")

    def write(self, out: list[str], record: Record, version: int) -> None:
        """Append the conditions as they were received."""
        del version
        conditions = record.items.get("conditions", [])
        out.append(str(len(conditions)))
        for condition in conditions:
            out.extend([condition["type"], *condition["raw"].split("\0")])
        if conditions:
            out.extend([record.text("conditions_ignore_rth"), record.text("conditions_cancel_order")])


Layout = Sequence[Block]


def read_record(layout: Layout, fields: Sequence[str], version: int) -> Record:
    """The fields of a message by name; fields after the layout's end are newer clients' business and ignored.

    Raises:
        UnreadableMessage: the message does not fit the layout.
    """
    cursor, record = Cursor(fields), Record()
    for block in layout:
        block.read(cursor, record, version)
    return record


def write_record(layout: Layout, record: Record, version: int) -> list[str]:
    """The fields of a message in wire order."""
    out: list[str] = []
    for block in layout:
        block.write(out, record, version)
    return out
