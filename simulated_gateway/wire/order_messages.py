"""What the gateway says about orders and executions.

TWS API: messages 3, 5, 11, 53, 55, 59, 100, 101 and 102.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from simulated_gateway.instruments import Instrument

from . import order_echo
from .framing import UNSET_DOUBLE, UNSET_INTEGER, Message, format_decimal
from .times import exchange_time

if TYPE_CHECKING:
    from simulated_gateway.trading.order_rules import MarginImpact
    from simulated_gateway.trading.orders import Execution, Order, Ticket

#: From here on executions say whether their price may be revised.
PENDING_PRICE_REVISION = 178


def order_status(order: Order) -> Message:
    """Message 3, 12 fields, no version."""
    ticket = order.ticket
    return (
        *(3, ticket.order_id, order.status, order.filled, order.remaining, order.average_price, order.perm_id),
        *(ticket.parent_id, order.last_fill_price, ticket.client_id, order.why_held, 0),
    )


def _contract_fields(instrument: Instrument) -> dict[str, str]:
    return {
        "con_id": str(instrument.con_id),
        "symbol": instrument.symbol,
        "sec_type": instrument.sec_type,
        "expiry": instrument.expiry,
        "strike": format_decimal(instrument.strike or Decimal(0)),
        "right": instrument.right or "?",
        "multiplier": instrument.multiplier,
        "exchange": instrument.exchange,
        "currency": instrument.currency,
        "local_symbol": instrument.local_symbol,
        "trading_class": instrument.trading_class,
    }


def _ticket_fields(ticket: Ticket) -> dict[str, str]:
    return {
        **_contract_fields(ticket.instrument),
        "order_id": str(ticket.order_id),
        "client_id": str(ticket.client_id),
        "action": ticket.action,
        "total_quantity": format_decimal(ticket.quantity),
        "order_type": ticket.order_type,
        "limit_price": format_decimal(ticket.limit_price or Decimal(0)),
        "aux_price": format_decimal(ticket.aux_price or Decimal(0)),
        "tif": ticket.tif or "DAY",
        "account": ticket.account,
        "order_ref": ticket.order_ref,
        "outside_rth": "1" if ticket.outside_rth else "0",
        "what_if": "0",
    }


def open_order(order: Order, version: int) -> Message:
    """Message 5."""
    trail = {} if order.trail_stop is None else {"trail_stop_price": format_decimal(order.trail_stop)}
    known = {"perm_id": str(order.perm_id), "status": order.status, **trail}
    return order_echo.open_order(order.ticket.received, {**_ticket_fields(order.ticket), **known}, version)


def preview(ticket: Ticket, impact: MarginImpact, commission: Decimal, version: int) -> Message:
    """Message 5 as the answer to a what-if order: margins before, change and after, and the commission."""
    before = impact.before
    figures = {
        "init_margin_before": before.initial_margin,
        "maint_margin_before": before.maintenance_margin,
        "equity_with_loan_before": before.net_liquidation,
        "init_margin_change": impact.initial_change,
        "maint_margin_change": impact.maintenance_change,
        "equity_with_loan_change": -commission,
        "init_margin_after": before.initial_margin + impact.initial_change,
        "maint_margin_after": before.maintenance_margin + impact.maintenance_change,
        "equity_with_loan_after": before.net_liquidation - commission,
        "commission": commission,
    }
    known = {name: format_decimal(value) for name, value in figures.items()}
    known |= {"perm_id": "0", "status": "PreSubmitted", "what_if": "1"}
    known["commission_currency"] = ticket.instrument.currency
    return order_echo.open_order(ticket.received, {**_ticket_fields(ticket), **known}, version)


def open_order_end() -> Message:
    """Message 53."""
    return (53, 1)


def order_bound(order: Order) -> Message:
    """Message 100: an order typed in TWS has a client and an id from now on."""
    return (100, order.perm_id, order.ticket.client_id, order.ticket.order_id)


def execution_details(req_id: int, execution: Execution, version: int) -> Message:
    """Message 11. Executions of orders typed in TWS have the unset integer as order id."""
    order = execution.order
    instrument = order.ticket.instrument
    fields: Message = (
        *(11, req_id, order.ticket.order_id or UNSET_INTEGER, instrument.con_id, instrument.symbol),
        *(instrument.sec_type, instrument.expiry, instrument.strike or 0, instrument.right, instrument.multiplier),
        *(execution.exchange, instrument.currency, instrument.local_symbol, instrument.trading_class),
        *(execution.execution_id, exchange_time(execution.time, version), order.ticket.account, execution.exchange),
        *(execution.side, execution.quantity, execution.price, order.perm_id, order.ticket.client_id, 0),
        *(execution.cumulative, execution.average_price, order.ticket.order_ref, "", "", "", 2),
    )
    return (*fields, 0) if version >= PENDING_PRICE_REVISION else fields


def execution_details_end(req_id: int) -> Message:
    """Message 55."""
    return (55, 1, req_id)


def commission_report(execution: Execution) -> Message:
    """Message 59, exactly 8 fields; the unset double where nothing was realized."""
    realized = UNSET_DOUBLE if execution.realized is None else execution.realized
    currency = execution.order.ticket.instrument.currency
    return (59, 1, execution.execution_id, execution.commission, currency, realized, UNSET_DOUBLE, "")


def completed_order(order: Order, version: int) -> Message:
    """Message 101: an order whose life ended today."""
    ended: datetime = order.ended_at or order.placed_at
    known = {
        "perm_id": str(order.perm_id),
        "status": order.status,
        "filled_quantity": format_decimal(order.filled),
        "completed_time": exchange_time(ended, version),
        "completed_status": order.completed_status,
    }
    return order_echo.completed_order(order.ticket.received, {**_ticket_fields(order.ticket), **known}, version)


def completed_orders_end() -> Message:
    """Message 102."""
    return (102,)
