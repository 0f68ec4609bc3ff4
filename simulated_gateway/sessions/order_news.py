"""Turns what the order desk tells into messages for the clients that are entitled to hear it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from simulated_gateway.trading.commissions import commission
from simulated_gateway.trading.order_rules import MarginImpact, order_price
from simulated_gateway.trading.orders import Execution, Order, Refusal, Ticket
from simulated_gateway.wire import order_messages

if TYPE_CHECKING:
    from simulated_gateway.brokerage import Brokerage

    from .session import Session

_NO_REQUEST = -1


class OrderNews:
    """The order desk's listener.

    TWS API: orders and fills go to the client that placed the order, to the master client, and those typed in TWS
    to client 0 once it is bound to them.
    """

    def __init__(self, brokerage: Brokerage) -> None:
        self._brokerage = brokerage

    def _audience(self, client_id: int) -> Iterable[Session]:
        wanted = {client_id, self._brokerage.config.master_client_id}
        return [session for session in self._brokerage.everyone() if session.client_id in wanted]

    def order_changed(self, order: Order) -> None:
        """Send openOrder and orderStatus."""
        self._bind_manual(order)
        if order.is_manual and order.ticket.order_id == 0:
            return
        for session in self._audience(order.ticket.client_id):
            self.tell_order(session, order)

    def _bind_manual(self, order: Order) -> None:
        session = self._brokerage.sessions.get(0)
        if order.is_manual and order.ticket.order_id == 0 and session is not None and session.auto_bind:
            self.bind(session, order)

    def bind(self, session: Session, order: Order) -> None:
        """Make an order typed in TWS client 0's own, under an order id below zero. TWS API: `orderBound`."""
        book = self._brokerage.book
        book.bind(order, session.client_id, book.identifiers.take_bound_id())
        session.send_message(order_messages.order_bound(order))

    def tell_order(self, session: Session, order: Order) -> None:
        """Send one client openOrder and orderStatus."""
        session.send_message(order_messages.open_order(order, session.version))
        session.send_message(order_messages.order_status(order))

    def order_executed(self, execution: Execution) -> None:
        """Send execDetails, as of no request."""
        for session in self._audience(execution.order.ticket.client_id):
            session.send_message(order_messages.execution_details(_NO_REQUEST, execution, session.version))

    def commission_charged(self, execution: Execution) -> None:
        """Send the commission report."""
        for session in self._audience(execution.order.ticket.client_id):
            session.send_message(order_messages.commission_report(execution))

    def order_noticed(self, client_id: int, order_id: int, notice: Refusal) -> None:
        """Send an error or a warning; only the order's own client knows its id."""
        session = self._brokerage.sessions.get(client_id)
        if session is not None and order_id != 0:
            session.error(order_id, notice.code, notice.text)

    def order_previewed(self, ticket: Ticket, impact: MarginImpact) -> None:
        """Send openOrder with the margin figures."""
        session = self._brokerage.sessions.get(ticket.client_id)
        if session is not None:
            price = order_price(ticket, self._brokerage.valuation)
            fee = commission(ticket.instrument, ticket.quantity, price)
            session.send_message(order_messages.preview(ticket, impact, fee, session.version))
