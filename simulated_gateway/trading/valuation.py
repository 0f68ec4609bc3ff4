"""What accounts are worth at the market's present prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from simulated_gateway.catalogue import Catalogue
from simulated_gateway.instruments import ContractQuery, Instrument
from simulated_gateway.market import Market
from simulated_gateway.market_data import Quote

from .accounts import ZERO, Account, Holding, money, multiplier_of

_PRICE_DIGITS = Decimal("0.00000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingValue:
    """A holding at market. Money in the instrument's currency; None where the market gives no price."""

    price: Decimal | None
    value: Decimal | None
    unrealized: Decimal | None
    realized: Decimal
    daily: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitAndLoss:
    """An account's, in base currency."""

    daily: Decimal
    unrealized: Decimal
    realized: Decimal


def _mark(quote: Quote) -> Decimal | None:
    if quote.last is not None:
        return quote.last
    if quote.bid is not None and quote.ask is not None:
        return ((quote.bid + quote.ask) / 2).quantize(_PRICE_DIGITS)
    return quote.close


class Valuation:
    """Prices and exchange rates from the market, applied to accounts."""

    def __init__(
        self, catalogue: Catalogue, market: Market, base_currency: str, fallback_rates: Mapping[str, Decimal]
    ) -> None:
        self._catalogue = catalogue
        self._market = market
        self.base_currency = base_currency
        self._fallback_rates = fallback_rates
        self._pairs: dict[str, Instrument | None] = {}

    def price(self, instrument: Instrument) -> Decimal | None:
        """What one unit is marked at: the last price, else the middle, else the previous close.

        None where there is none of these, as for an option that is no longer listed.
        """
        quote = self._quote(instrument)
        return None if quote is None else _mark(quote)

    def _quote(self, instrument: Instrument) -> Quote | None:
        if self._catalogue.by_con_id(instrument.con_id) is None:
            return None
        return self._market.quote(instrument.con_id)

    def rate(self, currency: str) -> Decimal:
        """Base currency for one unit of a currency."""
        if currency == self.base_currency:
            return Decimal(1)
        if currency not in self._pairs:
            query = ContractQuery(symbol=currency, sec_type="CASH", currency=self.base_currency)
            matches = self._catalogue.match(query)
            self._pairs[currency] = matches[0] if matches else None
        pair = self._pairs[currency]
        price = self.price(pair) if pair else None
        return price if price is not None else self._fallback_rates.get(currency, Decimal(1))

    def in_base(self, amount: Decimal, currency: str) -> Decimal:
        """An amount in base currency, unrounded."""
        return amount * self.rate(currency)

    def holding(self, holding: Holding) -> HoldingValue:
        """One holding at market."""
        realized = money(holding.realized)
        quote = self._quote(holding.instrument)
        price = None if quote is None else _mark(quote)
        if quote is None or price is None:
            return HoldingValue(price=None, value=None, unrealized=None, realized=realized, daily=None)
        multiplier = multiplier_of(holding.instrument)
        value = holding.quantity * price * multiplier
        daily = value - holding.opening_quantity * (quote.close or price) * multiplier + holding.cash_flow
        return HoldingValue(
            price=price,
            value=money(value),
            unrealized=money(value - holding.quantity * holding.average_cost),
            realized=realized,
            daily=money(daily),
        )

    def profit_and_loss(self, account: Account) -> ProfitAndLoss:
        """The account's day, in base currency."""
        daily = unrealized = realized = ZERO
        for held in account.holdings.values():
            rate = self.rate(held.instrument.currency)
            valued = self.holding(held)
            daily += (valued.daily or ZERO) * rate
            unrealized += (valued.unrealized or ZERO) * rate
            realized += valued.realized * rate
        return ProfitAndLoss(daily=money(daily), unrealized=money(unrealized), realized=money(realized))
