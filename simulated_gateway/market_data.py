"""The values that the market gives out: quotes, bars, the option model's results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A contract's prices at one moment, in its currency. None where there is no such value."""

    bid: Decimal | None
    bid_size: Decimal | None
    ask: Decimal | None
    ask_size: Decimal | None
    last: Decimal | None
    last_size: Decimal | None
    #: Units traded since the session began, extended hours included.
    volume: Decimal | None
    #: Of the regular session; None before it has begun.
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    #: The previous regular session's last price.
    close: Decimal | None
    #: When the prices were made, UTC. The end of the last session while the market is closed.
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionComputation:
    """What the option model says (message 21, tickOptionComputation). Money in the option's currency."""

    #: Per year, 0.25 for 25 %.
    implied_vol: float
    delta: float
    opt_price: Decimal
    pv_dividend: float
    gamma: float
    #: Per percentage point of volatility.
    vega: float
    #: Per calendar day.
    theta: float
    und_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One historical bar. Volume, wap and count are -1 where prices are not of trades, as on the real gateway."""

    #: UTC start of the bar; the exchange's date for bars of a day and longer.
    time: datetime | date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    wap: Decimal
    count: int


class InvalidRequest(Exception):
    """The gateway refuses a historical request: `code` and `text` are those of its error message."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
