"""The option model: Black and Scholes with a fixed smile. Floats are right here; others round to ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

#: Continuously compounded, per year. One rate for all, as the market here has no yield curve.
RATE: Final = 0.04
#: An option on its last day keeps this much time, so that its price and greeks stay finite.
_LEAST_YEARS: Final = 1.0 / (365.0 * 24.0 * 60.0)
_TRADING_DAYS: Final = 252.0


@dataclass(frozen=True, slots=True)
class Greeks:
    """Sensitivities: gamma per unit of the underlying, vega per percentage point, theta per calendar day."""

    delta: float
    gamma: float
    vega: float
    theta: float


def implied_volatility(daily_volatility: float, moneyness: float) -> float:
    """Give the yearly volatility at a moneyness of ln(strike / base price): dear puts, a shallow smile.

    It sticks to the strike, so that an option's price rises or falls with the underlying without exception.
    """
    shape = 1.0 - 0.5 * moneyness + 1.2 * moneyness * moneyness
    return daily_volatility * math.sqrt(_TRADING_DAYS) * max(shape, 0.6)


@dataclass(frozen=True, slots=True)
class OptionModel:
    """One contract's constants."""

    strike: float
    volatility: float
    is_call: bool

    def value(self, spot: float, years: float) -> float:
        """Give the fair price in the option's currency, `years` before it expires."""
        d1, d2, discounted = self._terms(spot, years)
        if self.is_call:
            return spot * _cumulative(d1) - discounted * _cumulative(d2)
        return discounted * _cumulative(-d2) - spot * _cumulative(-d1)

    def greeks(self, spot: float, years: float) -> Greeks:
        """Give the sensitivities at the same point."""
        years = max(years, _LEAST_YEARS)
        d1, d2, discounted = self._terms(spot, years)
        density = math.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
        root = math.sqrt(years)
        decay = -spot * density * self.volatility / (2.0 * root)
        carry = -RATE * discounted * _cumulative(d2) if self.is_call else RATE * discounted * _cumulative(-d2)
        return Greeks(
            delta=_cumulative(d1) if self.is_call else _cumulative(d1) - 1.0,
            gamma=density / (spot * self.volatility * root),
            vega=spot * density * root / 100.0,
            theta=(decay + carry) / 365.0,
        )

    def _terms(self, spot: float, years: float) -> tuple[float, float, float]:
        years = max(years, _LEAST_YEARS)
        spread = self.volatility * math.sqrt(years)
        d1 = (math.log(spot / self.strike) + (RATE + 0.5 * self.volatility * self.volatility) * years) / spread
        return d1, d1 - spread, self.strike * math.exp(-RATE * years)


def _cumulative(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
