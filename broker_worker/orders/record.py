"""What is known of one order, and what its state follows from."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from shared import clock
from shared.contract.orders import OrderState
from shared.order_records import REF_PREFIX, StoredOrder, foreign_key

_BY_STATUS = {
    "PendingSubmit": OrderState.PENDING,
    "ApiPending": OrderState.PENDING,
    "PreSubmitted": OrderState.WORKING,
    "Submitted": OrderState.WORKING,
    "PendingCancel": OrderState.WORKING,
    "Filled": OrderState.FILLED,
    "Cancelled": OrderState.CANCELLED,
    "ApiCancelled": OrderState.CANCELLED,
    "Inactive": OrderState.REJECTED,
}
"""The gateway's words. A stop resting in PreSubmitted is WORKING. Source: TWS API, order status values."""

UNSENT_STATUS = "PENDING"


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution."""

    exec_id: str
    quantity: Decimal
    price: Decimal
    time: datetime
    commission: Decimal | None = None
    commission_currency: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Objection:
    """What the gateway said against an order it has: against a change or cancellation, where one was asked for."""

    text: str
    refuses: bool
    """Whether its code means that what was asked for is not done; of other codes nobody knows."""


def execution_stem(exec_id: str) -> str:
    """What an execution and its corrections have in common. Source: TWS API, ``Execution.execId``."""
    return exec_id.rpartition(".")[0] or exec_id


@dataclass(slots=True)
class OrderRecord:
    """One order as the gateway's messages and our own sending have made it known.

    Ours are keyed by orderRef; order id and permIds are attributes: ids are reissued, and a modification can leave
    two permIds.
    """

    ref: str
    account: str
    con_id: int
    symbol: str
    sec_type: str
    currency: str
    action: str
    order_type: str
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    tif: str
    outside_rth: bool
    local_symbol: str = ""
    """The exchange's own, where it is known."""
    client_id: int | None = None
    order_id: int | None = None
    perm_ids: set[int] = field(default_factory=set[int])
    status: str = UNSENT_STATUS
    """The gateway's own last word, or one of ours where it has said nothing."""
    acknowledged: bool = False
    """Whether the gateway has shown by any message that it has the order."""
    refusal: str | None = None
    """Why the gateway refused or cancelled it, in its words."""
    refused: bool = False
    """Concluded from an error; a status or fill that says otherwise is believed."""
    lost: bool = False
    """After a synchronisation the gateway showed no trace of it: its fate is unknown here."""
    filled: Decimal = Decimal(0)
    average: Decimal | None = None
    fills: dict[str, Fill] = field(default_factory=dict[str, Fill])
    warnings: list[str] = field(default_factory=list[str])
    objection: Objection | None = None
    """The gateway's last no to what was asked of it since it had it; each is an object of its own."""
    unanswered: int = 0
    """Changes and cancellations sent of which it is not known what the gateway made of them."""
    one_change: asyncio.Lock = field(default_factory=asyncio.Lock)
    """A change names all terms: two at a time would undo each other."""
    rank: int = 0
    """The highest permanent id known when it was first heard of: where it stands among others while it has none."""
    seen: datetime = field(default_factory=clock.now)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def key(self) -> str | None:
        """Of its record: its orderRef if it is ours, else its permanent id, where it has one yet."""
        if self.ref.startswith(REF_PREFIX):
            return self.ref
        return foreign_key(self.perm_id) if self.perm_id is not None else None

    @property
    def place(self) -> str:
        """Account and contract, which one order of unknown fate blocks."""
        return f"{self.account}|{self.con_id}"

    @property
    def perm_id(self) -> int | None:
        """The newest permanent id."""
        return max(self.perm_ids, default=None)

    @property
    def remaining(self) -> Decimal:
        """Still open; 0 where more filled than was ordered."""
        return max(self.quantity - self.filled, Decimal(0))

    @property
    def state(self) -> OrderState:
        """Where the order stands. What filled weighs most, then the gateway's word, then what an error implied."""
        if self.filled and self.filled >= self.quantity:
            return OrderState.FILLED
        if self.lost:
            return OrderState.UNKNOWN
        if self.refused:
            return OrderState.REJECTED
        state = _BY_STATUS.get(self.status, OrderState.WORKING if self.acknowledged else OrderState.PENDING)
        if state in {OrderState.WORKING, OrderState.PENDING} and self.filled:
            return OrderState.PARTIALLY_FILLED
        return state

    def note_status(self, status: str) -> None:
        """The gateway's word. Late and repeated words do not bring a finished order back to life."""
        self.acknowledged = self.acknowledged or status not in {"PendingSubmit", "ApiPending"}
        self.lost = False
        new = _BY_STATUS.get(status)
        if _BY_STATUS.get(self.status, OrderState.PENDING).final and new is not None and not new.final:
            return
        if status:
            self.status = status
        if new in {OrderState.WORKING, OrderState.FILLED}:
            self.refused = False

    def note_filled(self, filled: Decimal, average: Decimal | None) -> None:
        """How much has filled in all; never less than was known."""
        if filled >= self.filled and average:
            self.average = average
        self.filled = max(self.filled, filled)

    def note_fill(self, fill: Fill) -> None:
        """One execution. A correction carries the same id with a higher last part and replaces the first."""
        stem = execution_stem(fill.exec_id)
        known = self.fills.get(stem)
        if known is not None and known.exec_id >= fill.exec_id:
            return
        self.fills[stem] = fill
        self.acknowledged, self.lost = True, False
        total = sum((part.quantity for part in self.fills.values()), Decimal(0))
        if total >= self.filled:
            self.average = sum((part.quantity * part.price for part in self.fills.values()), Decimal(0)) / total
        self.filled = max(self.filled, total)

    def note_commission(self, exec_id: str, commission: Decimal | None, currency: str | None) -> None:
        """What a fill cost."""
        stem = execution_stem(exec_id)
        if stem in self.fills:
            self.fills[stem] = replace(self.fills[stem], commission=commission, commission_currency=currency)

    def touch(self) -> None:
        """Something about the order changed: wake whoever waits for it."""
        self.seen = clock.now()
        self.changed.set()
        self.changed = asyncio.Event()


_TERMS = ("account", "con_id", "symbol", "currency", "action", "order_type", "quantity", "limit_price", "stop_price")


def rebuilt(stored: StoredOrder) -> OrderRecord:
    """An order as its record describes it, for one the gateway no longer shows: as last shown, else as asked for."""
    order = json.loads(stored.fields.get("order", "{}"), parse_float=Decimal, parse_int=Decimal)
    view = json.loads(stored.view or "{}", parse_float=Decimal)
    terms = order | {name: view[name] for name in _TERMS if view.get(name)}
    record = OrderRecord(
        ref=stored.key,
        account=terms.get("account", ""),
        con_id=int(terms.get("con_id", 0)),
        symbol=terms.get("symbol") or stored.fields.get("symbol", ""),
        sec_type=stored.fields.get("sec_type", ""),
        currency=terms.get("currency") or stored.fields.get("currency", ""),
        action=terms.get("action", ""),
        order_type=terms.get("order_type", ""),
        quantity=Decimal(terms.get("quantity", 0)),
        limit_price=_price(terms.get("limit_price")),
        stop_price=_price(terms.get("stop_price")),
        tif=terms.get("tif", ""),
        outside_rth=bool(terms.get("outside_rth", False)),
    )
    record.local_symbol = view.get("local_symbol") or ""
    record.order_id = view.get("order_id")
    if view.get("perm_id"):
        record.perm_ids.add(view["perm_id"])
    record.filled = Decimal(view.get("filled") or 0)
    record.average = _price(view.get("avg_fill_price"))
    return record


def _price(value: Decimal | int | None) -> Decimal | None:
    return Decimal(value) if value else None
