"""Orders that depend on each other: children of a parent, and groups of which one cancels all others.

TWS API: bracket orders (`parentId`, `transmit`) and `ocaGroup`.
"""

from __future__ import annotations

from collections.abc import Iterator

from .order_book import OrderBook
from .orders import Order, Status


def waiting_parent(book: OrderBook, order: Order) -> Order | None:
    """The parent whose fill an order still waits for."""
    ticket = order.ticket
    parent = book.find(ticket.client_id, ticket.parent_id) if ticket.parent_id else None
    return None if parent is None or parent.status is Status.FILLED else parent


def held_family(book: OrderBook, order: Order) -> Iterator[Order]:
    """The parent and the siblings that a transmitted child sends off with it."""
    parent_id = order.ticket.parent_id
    for held in book.live():
        if not parent_id or held.status is not Status.API_PENDING or held is order:
            continue
        same_client = held.ticket.client_id == order.ticket.client_id
        if same_client and parent_id in {held.ticket.order_id, held.ticket.parent_id}:
            yield held


def rivals(book: OrderBook, order: Order) -> Iterator[Order]:
    """The live orders that an order's fill cancels: its siblings, and the others of its group."""
    mine = order.ticket
    for other in book.live():
        its = other.ticket
        siblings = bool(mine.parent_id) and its.parent_id == mine.parent_id and its.client_id == mine.client_id
        one_cancels_all = bool(mine.oca_group) and its.oca_group == mine.oca_group and its.account == mine.account
        if (siblings or one_cancels_all) and other is not order and not other.is_final:
            yield other
