"""Orders and executions, as the broker keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from simulated_gateway.instruments import Instrument
from simulated_gateway.wire.layout import Record

from .accounts import ZERO


class Status(StrEnum):
    """TWS API: the status of an order."""

    #: Received, but held back: not transmitted yet.
    API_PENDING = "ApiPending"
    #: Held by the broker: a stop that has not triggered, a market that is not open, a child whose parent works.
    PRE_SUBMITTED = "PreSubmitted"
    #: At the exchange.
    SUBMITTED = "Submitted"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    #: Refused after it was taken.
    INACTIVE = "Inactive"


FINAL = frozenset({Status.FILLED, Status.CANCELLED, Status.INACTIVE})
#: Orders that wait for their stop price before they compete.
STOP_TYPES = frozenset({"STP", "STP LMT", "TRAIL", "MIT", "LIT"})
#: Orders that need a limit price.
LIMIT_TYPES = frozenset({"LMT", "STP LMT", "LIT"})
#: Orders that need a stop or trigger price in `aux_price`.
AUX_TYPES = frozenset({"STP", "STP LMT", "MIT", "LIT"})
SUPPORTED_TYPES = frozenset({"MKT", "LMT", "STP", "STP LMT", "TRAIL", "MIT", "LIT"})
SUPPORTED_TIFS = frozenset({"DAY", "GTC", "IOC", "FOK", "GTD"})


@dataclass(slots=True, kw_only=True)
class Ticket:
    """What a client asks for: the fields that decide an order's life, and everything it sent, to be echoed."""

    client_id: int
    order_id: int
    instrument: Instrument
    account: str
    action: str
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None
    aux_price: Decimal | None
    tif: str
    outside_rth: bool
    order_ref: str
    transmit: bool
    parent_id: int
    oca_group: str
    what_if: bool
    received: Record

    @property
    def signed_quantity(self) -> Decimal:
        """Negative for a sale."""
        return -self.quantity if self.action in {"SELL", "SSHORT"} else self.quantity


@dataclass(slots=True, kw_only=True)
class Order:
    """One order from its acceptance to its end."""

    ticket: Ticket
    #: Unique for the account, over all clients and restarts.
    perm_id: int
    status: Status
    placed_at: datetime
    filled: Decimal = ZERO
    #: Price times quantity of all fills.
    filled_value: Decimal = ZERO
    last_fill_price: Decimal = ZERO
    #: A stop whose price was reached.
    triggered: bool = False
    #: The present stop price of a trailing order.
    trail_stop: Decimal | None = None
    why_held: str = ""
    #: The gateway forgot to tell anyone of this order: it lives, but nothing is said about it.
    silent: bool = False
    ended_at: datetime | None = None
    completed_status: str = ""
    #: For the execution ids of a market that reports corrections as a new revision.
    fills: int = 0

    @property
    def remaining(self) -> Decimal:
        """What is not filled yet; nothing more will be, once the order is final."""
        return self.ticket.quantity - self.filled

    @property
    def average_price(self) -> Decimal:
        """Of all fills; 0 without one."""
        return self.filled_value / self.filled if self.filled else ZERO

    @property
    def is_final(self) -> bool:
        """Whether its life is over."""
        return self.status in FINAL

    @property
    def key(self) -> tuple[int, int]:
        """Client id and order id: how its client names it."""
        return self.ticket.client_id, self.ticket.order_id

    @property
    def is_manual(self) -> bool:
        """Whether it was typed in TWS and no client has been bound to it."""
        return self.ticket.order_id <= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One fill, with its commission."""

    execution_id: str
    order: Order
    time: datetime
    quantity: Decimal
    price: Decimal
    #: Of the order, this fill included.
    cumulative: Decimal
    average_price: Decimal
    exchange: str
    commission: Decimal
    #: None where the fill closed nothing.
    realized: Decimal | None

    @property
    def side(self) -> str:
        """TWS API: BOT or SLD."""
        return "BOT" if self.order.ticket.signed_quantity > 0 else "SLD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an order or a change is refused: the gateway's code and text."""

    code: int
    text: str


@dataclass(slots=True)
class Identifiers:
    """The order ids and permIds that were given out.

    TWS API: `nextValidId` persists for a client id; a new order id must exceed every id seen from that client.
    """

    next_perm_id: int
    next_execution: int = 1
    next_order_ids: dict[int, int] = field(default_factory=dict[int, int])
    #: Bound manual orders get ids below zero.
    next_bound_id: int = -1

    def next_order_id(self, client_id: int) -> int:
        """The lowest id the client may use."""
        return self.next_order_ids.get(client_id, 1)

    def saw(self, client_id: int, order_id: int) -> None:
        """Remember that a client has used an id."""
        self.next_order_ids[client_id] = max(self.next_order_id(client_id), order_id + 1)

    def take_perm_id(self) -> int:
        """A permId that nobody has."""
        self.next_perm_id += 1
        return self.next_perm_id - 1

    def take_execution(self) -> int:
        """A number for an execution id."""
        self.next_execution += 1
        return self.next_execution - 1

    def take_bound_id(self) -> int:
        """An order id for a manual order that a client becomes bound to."""
        self.next_bound_id -= 1
        return self.next_bound_id + 1

    def roll_back(self, count: int) -> None:
        """Forget the newest ids of every client, as some real gateways do over a restart."""
        for client_id, order_id in self.next_order_ids.items():
            self.next_order_ids[client_id] = max(1, order_id - count)
