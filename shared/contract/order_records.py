"""One order's whole story, told from the records in Redis, so also while the worker or the gateway is away."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

from pydantic import Field

from shared.contract.answers import LOCAL_SYMBOL, Answer, Item, Moment, Number
from shared.contract.arguments import OrderHandle
from shared.contract.call import Call
from shared.contract.operation import Toolset, reads
from shared.contract.orders import OrderState

MOST_WAITED = 20
"""Seconds wait_for_order waits at most, so that every call is answered within 25."""


class OrderFill(Item):
    """One fill of an order."""

    quantity: Number = Field(description="Filled by it.")
    price: Number = Field(description="Price of one unit.")
    time: Moment = Field(description="When it filled, UTC.")
    commission: Number | None = Field(description="What it cost; null until the gateway says.")
    commission_currency: str | None = Field(description="Currency of the commission.")


class OrderEvent(Item):
    """One step of an order's story."""

    at: Moment = Field(description="When, UTC.")
    event: str = Field(description="What happened.")
    detail: str | None = Field(description="Who asked, or what the gateway said.")


class OrderDetail(Answer):
    """One order with its fills and its history."""

    order_id: int | None = Field(description="Number within the client that placed it.")
    perm_id: int | None = Field(description="Permanent id, once acknowledged.")
    client_order_id: str | None = Field(description="The placing agent's own name for it.")
    status: str = Field(
        description="The gateway's own word, or NOT_FOUND, PENDING, REJECTED, EXPIRED, UNKNOWN from here."
    )
    state: OrderState | None = Field(description="Where it stands; null where there is no such order.")
    account: str | None = Field(description="Account number.")
    symbol: str | None = Field(description="Symbol at IBKR.")
    local_symbol: str | None = Field(default=None, description=LOCAL_SYMBOL)
    con_id: int | None = Field(description="The contract's number.")
    currency: str | None = Field(description="Currency of the prices.")
    action: str | None = Field(description="BUY or SELL.")
    order_type: str | None = Field(description="LMT, MKT, STP, …")
    quantity: Number | None = Field(description="Ordered.")
    limit_price: Number | None = Field(description="Limit, where the type has one.")
    stop_price: Number | None = Field(description="Stop trigger, where the type has one.")
    filled: Number | None = Field(description="Filled so far; null while unknown.")
    remaining: Number | None = Field(description="Still open; null while unknown.")
    avg_fill_price: Number | None = Field(description="Average price of what filled.")
    message: str | None = Field(description="Why it was refused or cancelled, or what is being waited for.")
    warnings: list[str] = Field(description="What the gateway remarked without refusing.")
    fills: list[OrderFill] = Field(description="Every fill known, oldest first.")
    history: list[OrderEvent] = Field(description="What happened to it, oldest first.")
    may_resubmit: bool = Field(description="Whether a new order for the same could not be a second one.")
    next_step: str = Field(description="What to do now.")
    as_of: Moment = Field(description="When the worker last heard of it, UTC.")


class OrderRecordTools(Toolset):
    """One order's story."""

    toolset = "orders"

    @abstractmethod
    @reads(answered_by="frontend", time_limit=5.0)
    async def get_order(self, call: Call, order: OrderHandle) -> OrderDetail:
        """One order with its state, fills and history; answers from the records, even while the gateway is away."""

    @abstractmethod
    @reads(answered_by="frontend", time_limit=24.0)
    async def wait_for_order(
        self,
        call: Call,
        order: OrderHandle,
        timeout: Annotated[  # noqa: ASYNC109 - the tool's own argument
            int, Field(ge=1, le=MOST_WAITED, description="Seconds to wait at most.")
        ] = MOST_WAITED,
    ) -> OrderDetail:
        """Wait until an order is filled, cancelled, refused or over; answers with its state then or at the end."""
