"""Requests about orders and executions. Every order message is written into the ledger before anything else happens."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from simulated_gateway.sessions.session import Session
from simulated_gateway.trading.ledger import LedgerEntry, OrderMessage
from simulated_gateway.trading.order_book import exchange_date
from simulated_gateway.trading.order_intake import read_ticket, readable_decimal
from simulated_gateway.trading.orders import Execution, Order, Refusal
from simulated_gateway.wire import errors, order_messages, session_messages
from simulated_gateway.wire.layout import UnreadableMessage
from simulated_gateway.wire.requests import Request
from simulated_gateway.wire.times import InvalidTime, read_time

from .general import Handler

_log = logging.getLogger(__name__)

_ACCEPTED = "accepted"
_READ_ONLY = Refusal(code=321, text=errors.validation("bW", errors.READ_ONLY))


def _write_down(session: Session, request: Request, kind: OrderMessage) -> LedgerEntry:
    brokerage, record = session.brokerage, request.record
    return brokerage.ledger.append(
        LedgerEntry(
            number=brokerage.ledger.next_number(),
            time=brokerage.clock.now(),
            kind=kind,
            client_id=session.client_id,
            order_id=record.integer("order_id"),
            order_ref=record.text("order_ref"),
            action=record.text("action"),
            quantity=readable_decimal(record, "total_quantity"),
            order_type=record.text("order_type"),
            limit_price=readable_decimal(record, "limit_price"),
            stop_price=readable_decimal(record, "aux_price"),
            tif=record.text("tif"),
            account=record.text("account"),
            symbol=record.text("symbol"),
            sec_type=record.text("sec_type"),
            con_id=record.integer("con_id"),
            what_if=record.flag("what_if"),
        )
    )


def _conclude(entry: LedgerEntry, outcome: Order | Refusal | None) -> None:
    if isinstance(outcome, Refusal):
        entry.outcome = f"{outcome.code} {outcome.text}"
        return
    entry.outcome = _ACCEPTED
    if outcome is not None:
        entry.perm_id = outcome.perm_id
        entry.account = outcome.ticket.account
        entry.con_id = outcome.ticket.instrument.con_id
        entry.symbol = outcome.ticket.instrument.symbol


def place_order(session: Session, request: Request) -> None:
    """A new order, a changed one, or a what-if."""
    brokerage = session.brokerage
    order_id = request.record.integer("order_id")
    known = brokerage.book.find(session.client_id, order_id)
    what_if = request.record.flag("what_if")
    if known is None and not what_if and brokerage.faults.take_swallowed():
        _log.info("fault: order %d of client %d was swallowed", order_id, session.client_id)
        return
    entry = _write_down(session, request, "modify" if known is not None and not what_if else "place")
    if brokerage.config.read_only:
        session.error(order_id, _READ_ONLY.code, _READ_ONLY.text)
        _conclude(entry, _READ_ONLY)
        return
    try:
        ticket = read_ticket(request.record, session.client_id, brokerage.catalogue, brokerage.accounts)
    except UnreadableMessage as problem:
        entry.outcome = f"320 {problem}"
        raise
    if isinstance(ticket, Refusal):
        if not what_if:
            brokerage.book.identifiers.saw(session.client_id, order_id)
        brokerage.news.order_noticed(session.client_id, order_id, ticket)
        _conclude(entry, ticket)
        return
    _conclude(entry, brokerage.desk.submit(ticket))


def cancel_order(session: Session, request: Request) -> None:
    """Cancel one of the client's own orders."""
    brokerage = session.brokerage
    order_id = request.record.integer("order_id")
    entry = _write_down(session, request, "cancel")
    if brokerage.config.read_only:
        session.error(order_id, _READ_ONLY.code, _READ_ONLY.text)
        _conclude(entry, _READ_ONLY)
        return
    quietly = brokerage.faults.take_forgotten("cancel")
    _conclude(entry, brokerage.desk.cancel(session.client_id, order_id, quietly=quietly))


def global_cancel(session: Session, request: Request) -> None:
    """Cancel every order of everyone."""
    entry = _write_down(session, request, "global cancel")
    if session.brokerage.config.read_only:
        session.error(session_messages.NO_REQUEST, _READ_ONLY.code, _READ_ONLY.text)
        _conclude(entry, _READ_ONLY)
        return
    session.brokerage.desk.cancel_all()
    _conclude(entry, None)


def open_orders(session: Session, _request: Request) -> None:
    """The client's own orders; client 0 is bound to those typed in TWS. Refused in read-only mode."""
    if session.brokerage.config.read_only:
        session.error(session_messages.NO_REQUEST, _READ_ONLY.code, _READ_ONLY.text)
        return
    for order in session.brokerage.book.live():
        if session.client_id == 0 and order.is_manual and order.ticket.order_id == 0:
            session.brokerage.news.bind(session, order)
        if order.ticket.client_id == session.client_id:
            session.brokerage.news.tell_order(session, order)
    session.send_message(order_messages.open_order_end())


def all_open_orders(session: Session, _request: Request) -> None:
    """The orders of all clients, and those typed in TWS."""
    for order in session.brokerage.book.live():
        session.brokerage.news.tell_order(session, order)
    session.send_message(order_messages.open_order_end())


def auto_open_orders(session: Session, request: Request) -> None:
    """From now on orders typed in TWS are this client's, if it is client 0."""
    if session.client_id != 0:
        cause = "Only the default client (i.e 0) can auto bind orders"
        session.error(session_messages.NO_REQUEST, 321, errors.validation("bY", cause))
        return
    session.auto_bind = request.record.flag("auto_bind")


def completed_orders(session: Session, request: Request) -> None:
    """Orders that ended on the exchange's present day. Never answered in read-only mode."""
    brokerage = session.brokerage
    if brokerage.config.read_only:
        return
    api_only = request.record.flag("api_only")
    for order in brokerage.book.completed(exchange_date(brokerage.clock.now())):
        if not (api_only and order.is_manual):
            session.send_message(order_messages.completed_order(order, session.version))
    session.send_message(order_messages.completed_orders_end())


def executions(session: Session, request: Request) -> None:
    """The executions of the exchange's present day that pass the filter, each with its commission report."""
    brokerage = session.brokerage
    try:
        chosen = [
            execution
            for execution in brokerage.book.executed(exchange_date(brokerage.clock.now()))
            if _passes(execution, request)
        ]
    except InvalidTime:
        session.error(request.req_id, 10314, errors.TIME_FORMAT)
        return
    for execution in chosen:
        session.send_message(order_messages.execution_details(request.req_id, execution, session.version))
        session.send_message(order_messages.commission_report(execution))
    session.send_message(order_messages.execution_details_end(request.req_id))


def _passes(execution: Execution, request: Request) -> bool:
    record, ticket = request.record, execution.order.ticket
    client_id = record.integer("client_id")
    side = record.text("side").upper()
    wanted = (
        (record.text("account"), ticket.account),
        (record.text("symbol").upper(), ticket.instrument.symbol.upper()),
        (record.text("sec_type").upper(), ticket.instrument.sec_type),
        (record.text("exchange").upper(), execution.exchange.upper()),
        ({"BUY": "BOT", "SELL": "SLD"}.get(side, side), execution.side),
    )
    if client_id not in {0, ticket.client_id} or any(asked and asked != actual for asked, actual in wanted):
        return False
    since = record.text("time")
    return not since or execution.time >= read_time(since)


def next_ids(session: Session, _request: Request) -> None:
    """The lowest order id the client may use; the asked count is ignored, as by the real gateway."""
    order_id = session.brokerage.book.identifiers.next_order_id(session.client_id)
    session.send_message(session_messages.next_valid_id(order_id))


HANDLERS: Mapping[str, Handler] = {
    "placeOrder": place_order,
    "cancelOrder": cancel_order,
    "reqGlobalCancel": global_cancel,
    "reqOpenOrders": open_orders,
    "reqAllOpenOrders": all_open_orders,
    "reqAutoOpenOrders": auto_open_orders,
    "reqCompletedOrders": completed_orders,
    "reqExecutions": executions,
    "reqIds": next_ids,
}
