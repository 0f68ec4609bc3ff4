"""What the control shows of clients, orders and positions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from simulated_gateway.trading.orders import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedClient:
    """One client with a session."""

    client_id: int
    name: str
    server_version: int
    since: datetime
    market_data_type: int
    #: Its subscriptions: kind and request id.
    streams: list[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """One order, as the gateway knows it."""

    client_id: int
    order_id: int
    perm_id: int
    order_ref: str
    account: str
    symbol: str
    con_id: int
    action: str
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    tif: str
    status: str
    filled: Decimal
    average_price: Decimal
    placed_at: datetime
    ended_at: datetime | None
    completed_status: str
    #: Whether its client was never told of it.
    silent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """What an account holds of one contract."""

    account: str
    symbol: str
    con_id: int
    quantity: Decimal
    average_cost: Decimal


def view_order(order: Order) -> OrderView:
    """An order as it is shown."""
    ticket = order.ticket
    return OrderView(
        client_id=ticket.client_id,
        order_id=ticket.order_id,
        perm_id=order.perm_id,
        order_ref=ticket.order_ref,
        account=ticket.account,
        symbol=ticket.instrument.symbol,
        con_id=ticket.instrument.con_id,
        action=ticket.action,
        quantity=ticket.quantity,
        order_type=ticket.order_type,
        limit_price=ticket.limit_price,
        stop_price=ticket.aux_price,
        tif=ticket.tif,
        status=order.status,
        filled=order.filled,
        average_price=order.average_price,
        placed_at=order.placed_at,
        ended_at=order.ended_at,
        completed_status=order.completed_status,
        silent=order.silent,
    )
