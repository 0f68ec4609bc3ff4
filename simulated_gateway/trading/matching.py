"""When an order trades against the market's quote, at which price, and how much of it at once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from simulated_gateway.market_data import Quote

from .orders import LIMIT_TYPES, STOP_TYPES, Order

#: Orders that trigger when the price comes back to them, not when it runs away.
_TOUCHED_TYPES = frozenset({"MIT", "LIT"})
_PERCENT = Decimal(100)


@dataclass(frozen=True, slots=True)
class Match:
    """What the market offers an order now."""

    price: Decimal
    #: No more than this at once.
    quantity: Decimal


def watched_price(order: Order, quote: Quote) -> Decimal | None:
    """The price that triggers stops: the last trade, or the side of the quote that the order would take."""
    if quote.last is not None:
        return quote.last
    return quote.ask if order.ticket.signed_quantity > 0 else quote.bid


def update_trigger(order: Order, quote: Quote) -> bool:
    """Follow the market with a trailing stop, and trigger what its price has reached; whether it triggered now."""
    price = watched_price(order, quote)
    if order.triggered or order.ticket.order_type not in STOP_TYPES or price is None:
        return False
    stop = _trail(order, price) if order.ticket.order_type == "TRAIL" else order.ticket.aux_price
    if stop is None:
        return False
    rises = (order.ticket.signed_quantity > 0) != (order.ticket.order_type in _TOUCHED_TYPES)
    order.triggered = price >= stop if rises else price <= stop
    return order.triggered


def _trail(order: Order, price: Decimal) -> Decimal | None:
    percent = order.ticket.received.decimal("trailing_percent")
    distance = price * percent / _PERCENT if percent else order.ticket.aux_price
    if distance is None:
        return order.trail_stop
    if order.trail_stop is None:
        order.trail_stop = order.ticket.received.decimal("trail_stop_price")
    if order.ticket.signed_quantity > 0:
        order.trail_stop = min(order.trail_stop or price + distance, price + distance)
    else:
        order.trail_stop = max(order.trail_stop or price - distance, price - distance)
    return order.trail_stop


def match(order: Order, quote: Quote) -> Match | None:
    """What the market offers the order, None where it rests.

    A buyer takes the ask and a seller the bid; where the instrument has no quote, the last price.
    """
    ticket = order.ticket
    if ticket.order_type in STOP_TYPES and not order.triggered:
        return None
    buys = ticket.signed_quantity > 0
    price = quote.ask if buys else quote.bid
    size = quote.ask_size if buys else quote.bid_size
    if price is None:
        price, size = quote.last, None
    if price is None:
        return None
    if ticket.order_type in LIMIT_TYPES and ticket.limit_price is not None:
        beyond = price > ticket.limit_price if buys else price < ticket.limit_price
        if beyond:
            return None
    return Match(price, min(size, order.remaining) if size else order.remaining)
