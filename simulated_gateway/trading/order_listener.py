"""Who wants to know what became of orders."""

from __future__ import annotations

from typing import Protocol

from .order_rules import MarginImpact
from .orders import Execution, Order, Refusal, Ticket


class OrderListener(Protocol):
    """What the order desk tells, in the real gateway's order."""

    def order_changed(self, order: Order) -> None:
        """An order was taken, or anything about it changed."""
        ...

    def order_executed(self, execution: Execution) -> None:
        """A fill; the order's own change is told next, the commission after it."""
        ...

    def commission_charged(self, execution: Execution) -> None:
        """The fill's commission report."""
        ...

    def order_noticed(self, client_id: int, order_id: int, notice: Refusal) -> None:
        """An error or a warning about an order, or about an id that is no order."""
        ...

    def order_previewed(self, ticket: Ticket, impact: MarginImpact) -> None:
        """The answer to a what-if order."""
        ...
