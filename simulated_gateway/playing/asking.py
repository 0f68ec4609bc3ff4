"""What a request asks, apart from its ids: two requests that ask the same are told the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from simulated_gateway.wire.layout import ABSENT_MAGNITUDE, ABSENT_NUMBERS, Cursor, Record, UnreadableMessage
from simulated_gateway.wire.requests import REQUEST_KINDS

#: Fields that name a request, an order or a client instead of asking something. `version` is the message's own.
NAMES = frozenset({"version", "req_id", "order_id", "parent_id", "order_ref", "oca_group", "client_id"})
#: Requests that only end another; they are about a request, not a question.
_CANCELS = {
    "cancelMktData", "cancelMktDepth", "cancelScannerSubscription", "cancelHistoricalData", "cancelRealTimeBars",
    "cancelFundamentalData", "cancelCalculateImpliedVolatility", "cancelCalculateOptionPrice", "cancelAccountSummary",
    "cancelPositionsMulti", "cancelAccountUpdatesMulti", "cancelHistogramData", "cancelHeadTimeStamp", "cancelPnL",
    "cancelPnLSingle", "cancelTickByTickData", "cancelWshMetaData", "cancelWshEventData",
}  # fmt: skip
#: Requests that may be asked again and get the recorded answer again; an order may not.
TRADES = frozenset({"placeOrder", "cancelOrder", "reqGlobalCancel", "exerciseOptions"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, read for what it asks."""

    kind: str
    #: By name, and what comes after the known fields by number; only what says something.
    asks: Mapping[str, str] = field(default_factory=dict[str, str])
    req_id: int | None = None
    order_id: int | None = None
    reference: str = ""
    oca_group: str = ""
    parent_id: int = 0
    client_id: int = 0

    @property
    def key(self) -> bytes:
        """The same for requests that ask the same."""
        text = json.dumps([self.kind, sorted(self.asks.items())])
        return hashlib.sha256(text.encode(errors="backslashreplace")).digest()[:16]

    @property
    def trades(self) -> bool:
        """Whether it is about an order."""
        return self.kind in TRADES

    @property
    def cancels(self) -> bool:
        """Whether it only ends the request of its own id."""
        return self.kind in _CANCELS

    @property
    def own_id(self) -> int | None:
        """The id that an answer refers to."""
        return self.order_id if self.order_id is not None else self.req_id

    def about(self, order: int | str) -> Asked:
        """The same about an order known by this name: a change or a cancellation of it."""
        return Asked(
            self.kind, {**self.asks, "order": str(order)}, self.req_id, self.order_id, self.reference, self.oca_group,
            self.parent_id, self.client_id,
        )  # fmt: skip


def asked(fields: Sequence[str], version: int) -> Asked:
    """What a client's message asks; one that cannot be read asks all its fields."""
    kind = REQUEST_KINDS.get(int(fields[0]))
    if kind is None:
        return Asked(f"unknown {fields[0]}", _rest(fields[1:]))
    cursor, record = Cursor(fields[1:]), Record()
    try:
        for block in kind.layout:
            block.read(cursor, record, version)
    except UnreadableMessage:
        return Asked(kind.name, _rest(fields[1:]))
    asks = {name: said for name, text in record.values.items() if name not in NAMES and (said := plain(text))}
    for name, items in record.items.items():
        for index, item in enumerate(items):
            asks |= {f"{name}[{index}].{part}": said for part, text in item.items() if (said := plain(text))}
    return Asked(
        kind.name,
        asks | _rest(cursor.rest),
        record.integer("req_id") if "req_id" in record.values else None,
        record.integer("order_id") if "order_id" in record.values else None,
        record.text("order_ref"),
        record.text("oca_group"),
        record.integer("parent_id"),
        record.integer("client_id"),
    )


def _rest(fields: Sequence[str]) -> dict[str, str]:
    return {f"field {index}": said for index, text in enumerate(fields, 1) if (said := plain(text))}


def plain(text: str) -> str:
    """One field as every client means it: nothing for unset, zero, no and question marks; numbers by their value."""
    text = text.strip()
    if text in ABSENT_NUMBERS or text in {"0", "?", "false", "None"}:
        return ""
    if text == "true":
        return "1"
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or not number or abs(number) >= ABSENT_MAGNITUDE:
        return ""
    return f"{number.normalize():f}"


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The fields in which two requests differ, each with what the one and the other say."""
    names = sorted({*one, *other})
    return {name: (one.get(name, ""), other.get(name, "")) for name in names if one.get(name) != other.get(name)}
