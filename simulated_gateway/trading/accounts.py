"""Accounts: their cash by currency and their holdings, changed by fills alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from simulated_gateway.instruments import Instrument

ZERO = Decimal(0)
_CENT = Decimal("0.01")
_COST_DIGITS = Decimal("0.00000001")


def money(value: Decimal) -> Decimal:
    """Rounded to the cent."""
    return value.quantize(_CENT)


def multiplier_of(instrument: Instrument) -> Decimal:
    """Units of the underlying in one contract; 1 where the instrument states none."""
    return Decimal(instrument.multiplier) if instrument.multiplier else Decimal(1)


@dataclass(slots=True, kw_only=True)
class Holding:
    """One account's position in one instrument. Money in the instrument's currency."""

    instrument: Instrument
    #: Negative for short.
    quantity: Decimal = ZERO
    #: For one contract, multiplier and commissions included. TWS API: `averageCost`.
    average_cost: Decimal = ZERO
    #: Of the day.
    realized: Decimal = ZERO
    #: What was held when the day began, for the day's profit and loss.
    opening_quantity: Decimal = ZERO
    #: Received minus paid by trades of the day, commissions included.
    cash_flow: Decimal = ZERO

    def apply(self, quantity: Decimal, price: Decimal, commission: Decimal) -> Decimal | None:
        """Change by a fill of `quantity` (negative for a sale); the profit realized, None where nothing was closed."""
        multiplier = multiplier_of(self.instrument)
        unit_cost = price * multiplier + commission / quantity
        self.cash_flow -= quantity * price * multiplier + commission
        closed = ZERO
        if self.quantity * quantity < 0:
            closed = min(abs(quantity), abs(self.quantity)).copy_sign(quantity)
        realized = (self.average_cost - unit_cost) * closed
        opened = quantity - closed
        remaining = self.quantity + closed
        if opened:
            total = remaining * self.average_cost + opened * unit_cost
            self.average_cost = (total / (remaining + opened)).quantize(_COST_DIGITS)
        self.quantity = remaining + opened
        if not self.quantity:
            self.average_cost = ZERO
        self.realized += realized
        return money(realized) if closed else None

    def start_day(self) -> None:
        """Forget the day that ended."""
        self.realized = ZERO
        self.cash_flow = ZERO
        self.opening_quantity = self.quantity


@dataclass(slots=True)
class Account:
    """One account under the user's name."""

    code: str
    cash: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    holdings: dict[int, Holding] = field(default_factory=dict[int, Holding])
    #: The exchange's date that realized amounts and cash flows belong to.
    day: date | None = None
    #: Grows with every fill, so that a stream sees that something changed.
    revision: int = 0

    @property
    def is_paper(self) -> bool:
        """TWS API: paper accounts begin with D."""
        return self.code.startswith("D")

    def held(self) -> list[Holding]:
        """What is held now."""
        return [holding for holding in self.holdings.values() if holding.quantity]

    def holding(self, instrument: Instrument) -> Holding:
        """The position in an instrument, made where there was none."""
        return self.holdings.setdefault(instrument.con_id, Holding(instrument=instrument))

    def apply(self, instrument: Instrument, quantity: Decimal, price: Decimal, commission: Decimal) -> Decimal | None:
        """Change position and cash by a fill; the profit realized, None where nothing was closed.

        Forex changes both currencies' cash and is held as a virtual position, futures move no cash but the commission.
        """
        currency = instrument.currency
        value = quantity * price * multiplier_of(instrument)
        paid = commission if instrument.sec_type == "FUT" else value + commission
        self.cash[currency] = self.cash.get(currency, ZERO) - paid
        if instrument.sec_type == "CASH":
            self.cash[instrument.symbol] = self.cash.get(instrument.symbol, ZERO) + quantity
        self.revision += 1
        return self.holding(instrument).apply(quantity, price, commission)

    def start_day(self, day: date) -> None:
        """Begin the exchange's day, once."""
        if self.day == day:
            return
        self.day = day
        for holding in self.holdings.values():
            holding.start_day()


def open_account(code: str, cash: Mapping[str, Decimal], day: date) -> Account:
    """A new account with its first cash."""
    return Account(code, dict(cash), day=day)
