"""Orders: to see, to place, to cancel."""

from __future__ import annotations

from abc import abstractmethod
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.contract.answers import LOCAL_SYMBOL, Answer, Item, Listing, Moment, Number
from shared.contract.arguments import (
    Account,
    Action,
    AwareTime,
    ContractQuery,
    Cursor,
    OrderHandle,
    OrderTerms,
    Price,
    Quantity,
    Symbol,
)
from shared.contract.call import Call
from shared.contract.operation import Toolset, reads, trades


class OrderState(StrEnum):
    """Where an order stands, in words that mean the same for every order type."""

    PENDING = "PENDING"
    """Accepted here, not yet acknowledged by the gateway."""
    WORKING = "WORKING"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    """Its deadline passed before it was sent; the gateway never saw it."""
    UNKNOWN = "UNKNOWN"
    """It may or may not have reached the gateway; the truth is there."""

    @property
    def final(self) -> bool:
        """Whether nothing can happen to the order any more."""
        return self in {OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED}


_STATUS = (
    "The gateway's own word, such as Submitted or Filled, or REJECTED, NOT_FOUND, PENDING, UNKNOWN, EXPIRED from here."
)
_STATE = (
    "PENDING (not yet acknowledged), WORKING, PARTIALLY_FILLED, FILLED, CANCELLED, REJECTED, "
    "EXPIRED (never sent), UNKNOWN (may or may not have reached the gateway)."
)


class OrderInfo(Item):
    """One order, whoever placed it."""

    order_id: int | None = Field(
        description="Number within the client that placed it; null where the gateway gives none."
    )
    perm_id: int | None = Field(description="Permanent id, unique in the account.")
    client_order_id: str | None = Field(description="The placing agent's own name for it.")
    client_id: int | None = Field(description="Which API client placed it; 0 may be a person in TWS.")
    account: str = Field(description="Account number.")
    symbol: str = Field(description="Symbol at IBKR.")
    local_symbol: str | None = Field(description=LOCAL_SYMBOL)
    sec_type: str = Field(description="Security type.")
    con_id: int = Field(description="The contract's number.")
    currency: str = Field(description="Currency of the prices.")
    action: str = Field(description="BUY or SELL.")
    order_type: str = Field(description="LMT, MKT, STP, …")
    total_quantity: Number = Field(description="Ordered.")
    limit_price: Number | None = Field(description="Limit, where the type has one.")
    stop_price: Number | None = Field(description="Stop trigger, where the type has one.")
    tif: str = Field(description="Time in force.")
    outside_rth: bool = Field(description="Whether it may fill outside regular hours.")
    status: str = Field(description=_STATUS)
    state: OrderState = Field(description=_STATE)
    filled: Number | None = Field(description="Filled so far.")
    remaining: Number | None = Field(description="Still open.")
    avg_fill_price: Number | None = Field(description="Average price of what filled.")
    message: str | None = Field(description="Why it was refused or cancelled, in the gateway's words.")
    warnings: list[str] = Field(description="What the gateway remarked without refusing.")


class OrderResult(Answer):
    """What became of an order that was to be placed."""

    order_id: int | None = Field(description="Number to name it by, once sent.")
    perm_id: int | None = Field(description="Permanent id, once acknowledged.")
    client_order_id: str | None = Field(
        description="Its name; the same name with the same order gives this answer again."
    )
    status: str = Field(description=_STATUS)
    state: OrderState = Field(description=_STATE)
    account: str | None = Field(description="Account it was placed in.")
    symbol: str | None = Field(description="Symbol at IBKR; null where only a con_id was given and nothing was sent.")
    local_symbol: str | None = Field(default=None, description=LOCAL_SYMBOL)
    con_id: int | None = Field(description="The contract's number.")
    currency: str | None = Field(description="Currency of the prices.")
    action: str | None = Field(description="BUY or SELL.")
    quantity: Number | None = Field(description="Ordered.")
    limit_price: Number | None = Field(description="Limit, where the type has one.")
    stop_price: Number | None = Field(description="Stop trigger, where the type has one.")
    filled: Number | None = Field(description="Filled so far; null while unknown.")
    avg_fill_price: Number | None = Field(description="Average price of what filled.")
    message: str | None = Field(description="Why it was refused, or what is being waited for.")
    warnings: list[str] = Field(description="What the gateway remarked without refusing.")
    may_resubmit: bool = Field(description="Whether a new order for the same could not be a second one.")
    next_step: str = Field(description="What to do now.")


class ModifyResult(OrderResult):
    """The order as the gateway shows it after a modification, and whether that is as it was to be."""

    changed: bool | None = Field(
        description="true: changed. false: refused, not changed. null: not known; state and terms are as last seen."
    )


class CancelResult(Answer):
    """What became of a cancellation."""

    order_id: int | None = Field(description="The order's number.")
    perm_id: int | None = Field(description="The order's permanent id.")
    client_order_id: str | None = Field(description="The order's name.")
    status: str = Field(
        description="The order's status now; NOT_FOUND where there is no such order; REJECTED if refused."
    )
    state: OrderState | None = Field(
        description="The order's state now; null where there is no such order, or it was not looked for."
    )
    filled: Number | None = Field(description="Filled before it was cancelled, or so far; null while unknown.")
    remaining: Number | None = Field(description="Not filled; null while unknown.")
    message: str | None = Field(description="What happened, or why not.")
    next_step: str = Field(description="What to do now.")


class ExecutionInfo(Item):
    """One fill."""

    exec_id: str = Field(description="The gateway's id of the fill; corrections share its stem.")
    time: Moment = Field(description="When it filled, UTC.")
    account: str = Field(description="Account number.")
    symbol: str = Field(description="Symbol at IBKR.")
    local_symbol: str | None = Field(description=LOCAL_SYMBOL)
    sec_type: str = Field(description="Security type.")
    con_id: int = Field(description="The contract's number.")
    action: str = Field(description="BUY or SELL.")
    quantity: Number = Field(description="Filled by it.")
    price: Number = Field(description="Price of one unit.")
    currency: str = Field(description="Currency of the price.")
    commission: Number | None = Field(description="What it cost; null until the gateway says.")
    commission_currency: str | None = Field(description="Currency of the commission.")
    order_id: int | None = Field(description="The order's number.")
    perm_id: int | None = Field(description="The order's permanent id.")
    client_order_id: str | None = Field(description="The placing agent's own name for the order.")


class OrderTools(Toolset):
    """Orders: to see, to place, to cancel."""

    toolset = "orders"

    @abstractmethod
    @reads()
    async def get_orders(
        self, call: Call, account: Account | None = None, cursor: Cursor | None = None
    ) -> Listing[OrderInfo]:
        """Orders open and completed today, of every client and of TWS, newest first."""

    @abstractmethod
    @trades()
    async def place_limit_order(
        self,
        call: Call,
        contract: ContractQuery,
        action: Action,
        quantity: Quantity,
        limit_price: Price,
        terms: OrderTerms,
    ) -> OrderResult:
        """Buy or sell at a limit price or better. Answers when the gateway acknowledges, refuses or fills it.

        If the answer is lost, repeat the call with the same client_order_id: it never places a second order.
        """

    @abstractmethod
    @trades()
    async def place_market_order(
        self, call: Call, contract: ContractQuery, action: Action, quantity: Quantity, terms: OrderTerms
    ) -> OrderResult:
        """Buy or sell at the market. Answers when the gateway acknowledges, refuses or fills it.

        If the answer is lost, repeat the call with the same client_order_id: it never places a second order.
        """

    @abstractmethod
    @trades()
    async def place_stop_order(
        self,
        call: Call,
        contract: ContractQuery,
        action: Action,
        quantity: Quantity,
        stop_price: Price,
        terms: OrderTerms,
    ) -> OrderResult:
        """Buy or sell at the market once the price reaches stop_price. It rests until then.

        If the answer is lost, repeat the call with the same client_order_id: it never places a second order.
        """

    @abstractmethod
    @trades(idempotent=True)
    async def cancel_order(self, call: Call, order_id: OrderHandle) -> CancelResult:
        """Cancel an order. NOT_FOUND if there is none; what has filled stays filled."""

    @abstractmethod
    @trades(idempotent=True)
    async def modify_order(
        self,
        call: Call,
        order: OrderHandle,
        quantity: Annotated[Quantity | None, Field(description="New total quantity, what has filled included.")] = None,
        limit_price: Annotated[Price | None, Field(description="New limit price.")] = None,
        stop_price: Annotated[Price | None, Field(description="New stop price.")] = None,
    ) -> ModifyResult:
        """Change the quantity or price of a working order placed through this server; what is left out stays."""

    @abstractmethod
    @reads()
    async def get_executions(
        self,
        call: Call,
        account: Account | None = None,
        symbol: Symbol | None = None,
        since: Annotated[AwareTime | None, Field(description="Only fills from this time on.")] = None,
        cursor: Cursor | None = None,
    ) -> Listing[ExecutionInfo]:
        """Fills of today with their commissions, newest first, of one account or of all."""
