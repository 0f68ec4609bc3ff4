"""An order as it is asked for: checked against the contract, fingerprinted, and built for the wire."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal

from ib_async import Contract, Order

from broker_worker.contracts import Resolved
from broker_worker.gateway.convert import exact_or_zero, wire_number
from broker_worker.orders.record import OrderRecord
from shared import json_text
from shared.contract.arguments import OrderTerms
from shared.errors import InvalidArgument

_WHOLE_UNITS = frozenset({"STK", "OPT", "FUT", "FOP", "WAR", "BOND", "CFD"})
"""Types whose orders the gateway refuses with a fraction (error 10243)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What one place tool asks for."""

    order_type: str
    """LMT, MKT or STP."""
    action: str
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    terms: OrderTerms


def check(intent: Intent, resolved: Resolved) -> None:
    """Refuse what the gateway would refuse, with the mend. Raises ``InvalidArgument``."""
    symbol = resolved.contract.symbol
    if resolved.contract.secType == "IND":
        raise InvalidArgument(
            f"{symbol} is an index and cannot be traded", action="trade a fund, future or option on it"
        )
    if resolved.contract.secType in _WHOLE_UNITS and intent.quantity != intent.quantity.to_integral_value():
        raise InvalidArgument(
            f"quantity {json_text.decimal_text(intent.quantity)} is a fraction; {symbol} is traded in whole units",
            action="use a whole number",
        )
    for name, price in (("limit_price", intent.limit_price), ("stop_price", intent.stop_price)):
        if price is not None and resolved.min_tick and price % resolved.min_tick:
            below = price - price % resolved.min_tick
            text = json_text.decimal_text
            raise InvalidArgument(
                f"{name} {text(price)} is off the tick of {text(resolved.min_tick)}",
                action=f"use {text(below)} or {text(below + resolved.min_tick)}",
            )


def describe(intent: Intent, resolved: Resolved, account: str) -> str:
    """The order as JSON, every field that makes it this order and no other."""
    return json_text.dumps(
        {
            "account": account,
            "con_id": resolved.contract.conId,
            "exchange": resolved.contract.exchange,
            "action": intent.action,
            "order_type": intent.order_type,
            "quantity": intent.quantity,
            "limit_price": intent.limit_price,
            "stop_price": intent.stop_price,
            "tif": intent.terms.tif,
            "outside_rth": intent.terms.outside_rth,
        }
    )


def identity(contract: Contract) -> str:
    """What tells a contract from its like, as the record keeps it."""
    return json.dumps(
        {
            "sec_type": contract.secType,
            "currency": contract.currency,
            "expiry": contract.lastTradeDateOrContractMonth[:8],
            "strike": str(exact_or_zero(contract.strike)),
            "right": contract.right[:1],
        }
    )


def fingerprint(description: str) -> str:
    """Equal for the same order, whatever key it comes under."""
    return hashlib.sha256(description.encode()).hexdigest()


def wire_order(intent: Intent, *, account: str, ref: str, order_id: int) -> Order:
    """The order for the gateway; time in force and outside hours are always said."""
    order = Order(
        orderId=order_id,
        action=intent.action,
        totalQuantity=wire_number(intent.quantity),
        orderType=intent.order_type,
        tif=intent.terms.tif,
        outsideRth=intent.terms.outside_rth,
        account=account,
        orderRef=ref,
        transmit=True,
    )
    if intent.limit_price is not None:
        order.lmtPrice = wire_number(intent.limit_price)
    if intent.stop_price is not None:
        order.auxPrice = wire_number(intent.stop_price)
    return order


def record_of(
    intent: Intent, resolved: Resolved, *, account: str, ref: str, order_id: int | None, client_id: int
) -> OrderRecord:
    """What is known of the order the moment it is sent."""
    return OrderRecord(
        ref=ref,
        account=account,
        con_id=resolved.contract.conId,
        symbol=resolved.contract.symbol,
        local_symbol=resolved.contract.localSymbol,
        sec_type=resolved.contract.secType,
        currency=resolved.contract.currency,
        action=intent.action,
        order_type=intent.order_type,
        quantity=intent.quantity,
        limit_price=intent.limit_price,
        stop_price=intent.stop_price,
        tif=intent.terms.tif,
        outside_rth=intent.terms.outside_rth,
        client_id=client_id,
        order_id=order_id,
    )
