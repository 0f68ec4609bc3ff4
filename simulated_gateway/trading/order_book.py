"""All orders and executions, and who may see which. The day is the exchange's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from .orders import Execution, Identifiers, Order

#: TWS API: "since midnight" means this zone's here.
EXCHANGE_ZONE = ZoneInfo("America/New_York")


def exchange_date(moment: datetime) -> date:
    """The exchange's date at a moment."""
    return moment.astimezone(EXCHANGE_ZONE).date()


class OrderBook:
    """Orders by permId; the newest order of a client and order id answers for that pair."""

    def __init__(self, identifiers: Identifiers) -> None:
        self.identifiers = identifiers
        self.orders: dict[int, Order] = {}
        self.executions: list[Execution] = []
        self._by_key: dict[tuple[int, int], Order] = {}
        self._live: dict[int, Order] = {}

    def add(self, order: Order) -> None:
        """Keep an order."""
        self.orders[order.perm_id] = order
        if order.ticket.order_id:
            self._by_key[order.key] = order
        if not order.is_final:
            self._live[order.perm_id] = order

    def ended(self, order: Order) -> None:
        """Stop looking at an order whose life is over."""
        self._live.pop(order.perm_id, None)

    def bind(self, order: Order, client_id: int, order_id: int) -> None:
        """Give a manual order a client and an order id."""
        order.ticket.client_id = client_id
        order.ticket.order_id = order_id
        self._by_key[order.key] = order

    def find(self, client_id: int, order_id: int) -> Order | None:
        """The order that a client means by one of its ids."""
        return self._by_key.get((client_id, order_id))

    def live(self) -> list[Order]:
        """Orders that are not final, oldest first."""
        return list(self._live.values())

    def children(self, parent: Order) -> Iterator[Order]:
        """Live orders that wait for, or protect, another."""
        for order in self.live():
            if order.ticket.parent_id and (order.ticket.client_id, order.ticket.parent_id) == parent.key:
                yield order

    def completed(self, today: date) -> list[Order]:
        """Orders whose life ended on the exchange's present day."""
        return [
            order
            for order in self.orders.values()
            if order.is_final and order.ended_at is not None and exchange_date(order.ended_at) == today
        ]

    def executed(self, today: date) -> list[Execution]:
        """Executions of the exchange's present day."""
        return [execution for execution in self.executions if exchange_date(execution.time) == today]
