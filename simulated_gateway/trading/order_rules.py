"""Why an order is refused: one small function a rule, applied in the gateway's order.

TWS API: the message codes page; texts are close to the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from simulated_gateway.config import GatewayConfig
from simulated_gateway.wire import errors

from .account_values import Totals, margin_of, totals
from .accounts import ZERO, Account, multiplier_of
from .order_book import OrderBook
from .order_intake import PLACE_ORDER
from .orders import AUX_TYPES, LIMIT_TYPES, SUPPORTED_TIFS, SUPPORTED_TYPES, Refusal, Ticket
from .valuation import Valuation


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What rules look at besides the ticket."""

    config: GatewayConfig
    accounts: Mapping[str, Account]
    book: OrderBook
    valuation: Valuation


Rule = Callable[[Ticket, Circumstances], Refusal | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginImpact:
    """What an order would do to its account, in base currency."""

    before: Totals
    initial_change: Decimal
    maintenance_change: Decimal


def order_price(ticket: Ticket, valuation: Valuation) -> Decimal:
    """The price that an order is valued at: its own, else the market's."""
    if ticket.order_type in LIMIT_TYPES and ticket.limit_price:
        return ticket.limit_price
    if ticket.order_type in AUX_TYPES and ticket.aux_price:
        return ticket.aux_price
    return valuation.price(ticket.instrument) or ZERO


def order_value(ticket: Ticket, valuation: Valuation) -> Decimal:
    """Quantity times price, in base currency."""
    value = ticket.quantity * order_price(ticket, valuation) * multiplier_of(ticket.instrument)
    return valuation.in_base(value, ticket.instrument.currency)


def _growth(ticket: Ticket, account: Account) -> Decimal:
    """How much larger the position would be, long or short; negative where the order reduces it."""
    holding = account.holdings.get(ticket.instrument.con_id)
    held = holding.quantity if holding else ZERO
    return abs(held + ticket.signed_quantity) - abs(held)


def margin_impact(ticket: Ticket, account: Account, valuation: Valuation) -> MarginImpact:
    """How the order, filled, would change the margin."""
    part = _growth(ticket, account) / ticket.quantity if ticket.quantity else ZERO
    initial, maintenance = margin_of(order_value(ticket, valuation) * part)
    return MarginImpact(before=totals(account, valuation), initial_change=initial, maintenance_change=maintenance)


def _invalid(cause: str) -> Refusal:
    return Refusal(code=321, text=errors.validation(PLACE_ORDER, cause))


def _known_words(ticket: Ticket, _around: Circumstances) -> Refusal | None:
    if ticket.action not in {"BUY", "SELL", "SSHORT"}:
        return _invalid(f"Invalid order side '{ticket.action}'")
    if ticket.order_type not in SUPPORTED_TYPES:
        return Refusal(code=387, text=errors.UNSUPPORTED_ORDER_TYPE)
    if ticket.tif and ticket.tif not in SUPPORTED_TIFS:
        return Refusal(code=10052, text=f"Invalid time in force:{ticket.tif}")
    return None


def _tradable(ticket: Ticket, _around: Circumstances) -> Refusal | None:
    if ticket.instrument.sec_type == "IND":
        return Refusal(code=201, text=errors.rejected("The instrument cannot be traded."))
    return None


def _quantity(ticket: Ticket, _around: Circumstances) -> Refusal | None:
    instrument = ticket.instrument
    if not ticket.quantity:
        return Refusal(code=434, text=errors.SIZE_ZERO)
    if ticket.quantity < 0:
        return _invalid("The order quantity must be greater than zero")
    if instrument.sec_type == "STK" and ticket.quantity % 1:
        return Refusal(code=10243, text=errors.FRACTION)
    if ticket.quantity % instrument.size_increment:
        return Refusal(code=201, text=errors.rejected(f"The size must be a multiple of {instrument.size_increment:f}."))
    return None


def _prices(ticket: Ticket, _around: Circumstances) -> Refusal | None:
    needed: list[tuple[str, Decimal | None]] = []
    if ticket.order_type in LIMIT_TYPES:
        needed.append(("limit price", ticket.limit_price))
    if ticket.order_type in AUX_TYPES:
        needed.append(("stop price", ticket.aux_price))
    signed = ticket.instrument.sec_type in {"FUT", "BAG"}
    for name, price in needed:
        if price is None or (price <= 0 and not signed):
            return _invalid(f"Missing or invalid {name}")
        if price % ticket.instrument.min_tick:
            return Refusal(code=110, text=errors.BAD_TICK)
    return None


def _precautions(ticket: Ticket, around: Circumstances) -> Refusal | None:
    config = around.config
    value = order_value(ticket, around.valuation)
    if config.precaution_value is not None and value > config.precaution_value:
        text = (
            f"Order value of {value:.2f} {config.base_currency} exceeds the total value limit of "
            f"{config.precaution_value:.2f} {config.base_currency} in the precautionary settings of the presets."
        )
        return Refusal(code=451, text=text)
    market = around.valuation.price(ticket.instrument)
    if config.precaution_percent is not None and ticket.order_type in LIMIT_TYPES and market and ticket.limit_price:
        distance = (ticket.limit_price - market) / market * 100
        if (distance if ticket.signed_quantity > 0 else -distance) > config.precaution_percent:
            text = "Price is out of the range defined by the Percentage setting at order defaults frame."
            return Refusal(code=109, text=f"{text} The order will not be transmitted.")
    return None


def _working_orders(ticket: Ticket, around: Circumstances) -> Refusal | None:
    limit = around.config.limits.working_orders
    same = [
        order
        for order in around.book.live()
        if order.ticket.instrument.con_id == ticket.instrument.con_id
        and order.ticket.account == ticket.account
        and (order.ticket.signed_quantity > 0) == (ticket.signed_quantity > 0)
        and order.key != (ticket.client_id, ticket.order_id)
    ]
    if len(same) < limit:
        return None
    reason = f"The maximum of {limit} working orders<br>on either the buy or sell side<br>for this contract is reached."
    return Refusal(code=201, text=errors.rejected(reason))


def _margin(ticket: Ticket, around: Circumstances) -> Refusal | None:
    account = around.accounts[ticket.account]
    if _growth(ticket, account) <= 0:
        return None
    impact = margin_impact(ticket, account, around.valuation)
    if impact.initial_change <= impact.before.available:
        return None
    base = around.config.base_currency
    reason = (
        "YOUR ORDER IS NOT ACCEPTED.<br>IN ORDER TO OBTAIN THE DESIRED POSITION<br>YOUR EQUITY WITH LOAN VALUE "
        f"[{impact.before.net_liquidation} {base}]<br>MUST EXCEED THE INITIAL MARGIN "
        f"[{impact.before.initial_margin + impact.initial_change} {base}]"
    )
    return Refusal(code=201, text=errors.rejected(reason))


_RULES: tuple[Rule, ...] = (_known_words, _tradable, _quantity, _prices, _precautions, _working_orders, _margin)


def check(ticket: Ticket, around: Circumstances) -> Refusal | None:
    """The first rule that the order breaks."""
    for rule in _RULES:
        if refusal := rule(ticket, around):
            return refusal
    return None
