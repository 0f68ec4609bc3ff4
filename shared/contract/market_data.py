"""Prices, bars and option chains."""

from __future__ import annotations

from abc import abstractmethod
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.contract.answers import Answer, Item, Listing, Moment, MomentOrDate, Number
from shared.contract.arguments import (
    AwareTime,
    BarSize,
    ConIds,
    ContractQuery,
    Currency,
    Cursor,
    Duration,
    Exchange,
    Expiration,
    OptionRight,
    SecurityType,
    Symbols,
    TradingClass,
    UnderlyingQuery,
    WhatToShow,
)
from shared.contract.call import Call
from shared.contract.operation import Toolset, reads


class DataKind(StrEnum):
    """What kind of market data a price is. Source: TWS API, Market Data Types 1 to 4."""

    LIVE = "live"
    FROZEN = "frozen"
    DELAYED = "delayed"
    DELAYED_FROZEN = "delayed_frozen"


class StockPrice(Answer):
    """One contract's prices now."""

    symbol: str = Field(description="Symbol at IBKR.")
    con_id: int = Field(description="The contract's number.")
    bid: Number | None = Field(description="Best bid, null where there is none.")
    ask: Number | None = Field(description="Best ask, null where there is none.")
    last: Number | None = Field(description="Last trade's price.")
    close: Number | None = Field(description="Previous session's close.")
    volume: Number | None = Field(description="Traded today, in units.")
    currency: str = Field(description="Currency of the prices.")
    data_kind: DataKind = Field(
        description="live; frozen (market closed: the last there was); delayed (15-20 minutes old); delayed_frozen."
    )
    timestamp: Moment = Field(description="When the newest of these values arrived, UTC.")
    last_trade: Moment | None = Field(default=None, description="When the last trade was, UTC.")
    missing_subscription: str | None = Field(default=None, description="What to subscribe to for live data.")
    exchange_tz: str | None = Field(description="The exchange's time zone.")
    note: str | None = Field(default=None, description="What was read differently, or is missing and why.")


class Quote(Item):
    """One contract's prices now."""

    symbol: str = Field(description="Symbol at IBKR.")
    con_id: int = Field(description="The contract's number.")
    bid: Number | None = Field(description="Best bid.")
    ask: Number | None = Field(description="Best ask.")
    last: Number | None = Field(description="Last trade.")
    close: Number | None = Field(description="Previous close.")
    volume: Number | None = Field(description="Traded today.")
    currency: str = Field(description="Currency.")
    data_kind: DataKind = Field(description="live, frozen, delayed or delayed_frozen.")
    timestamp: Moment = Field(description="When the newest value arrived, UTC.")


class FailedQuote(Item):
    """One contract without a price."""

    asked: str = Field(description="The symbol or con_id as asked.")
    error: str = Field(description="CODE: fact. Do: action. Retry: when.")


class Quotes(Listing[Quote]):
    """Prices in the order asked; what failed is listed with its reason."""

    failed: list[FailedQuote] = Field(description="Those without a price, and why.")
    missing_subscriptions: list[str] = Field(description="What to subscribe to for live data.")


class HistoricalBar(Item):
    """Prices over one stretch of time."""

    date: MomentOrDate = Field(description="Start of the bar: UTC; for daily and longer the exchange's date.")
    open: Number = Field(description="First price.")
    high: Number = Field(description="Highest price.")
    low: Number = Field(description="Lowest price.")
    close: Number = Field(description="Last price.")
    volume: Number | None = Field(description="Traded in the bar; null where not counted, as in forex.")


class BarsSummary(Item):
    """What a large range comes to."""

    bars: int = Field(description="Bars in the range.")
    first: MomentOrDate = Field(description="Start of the first bar.")
    last: MomentOrDate = Field(description="Start of the last bar.")
    open: Number = Field(description="First price.")
    high: Number = Field(description="Highest price.")
    low: Number = Field(description="Lowest price.")
    close: Number = Field(description="Last price.")
    volume: Number | None = Field(description="Traded in all.")


class BarsFile(Item):
    """A large range as CSV with a header line."""

    path: str = Field(description="GET it from this server over HTTP, with the same key.")
    bars: int = Field(description="Lines after the header.")
    expires: Moment = Field(description="Until when it is kept, UTC.")


class HistoricalBars(Listing[HistoricalBar]):
    """The newest bars, oldest first; next_cursor leads further back."""

    summary: BarsSummary | None = Field(default=None, description="Of a range over 1,000 bars, on its first page.")
    file: BarsFile | None = Field(default=None, description="The whole of such a range.")

    symbol: str = Field(description="Symbol at IBKR.")
    con_id: int = Field(description="The contract's number.")
    currency: str = Field(description="Currency of the prices.")
    bar_size: str = Field(description="Length of a bar.")
    what_to_show: str = Field(description="What the bars are made of.")
    exchange_tz: str | None = Field(description="The exchange's time zone.")


class OptionChain(Item):
    """The options of one class at one exchange."""

    exchange: str = Field(description="Exchange; SMART routes to all.")
    trading_class: str = Field(description="Trading class, such as SPX or SPXW.")
    multipliers: list[Number] = Field(description="Units of the underlying in one contract.")
    expirations: list[str] = Field(description="Expiration dates, yyyy-mm-dd.")
    strike_range: list[Number] = Field(description="Lowest and highest strike.")
    strikes: list[Number] = Field(description="With expiration given: the strikes nearest to the money.")


class OptionChains(Listing[OptionChain]):
    """An underlying's option chains."""

    symbol: str = Field(description="The underlying's symbol.")
    con_id: int = Field(description="The underlying's number.")
    currency: str = Field(description="Currency of the strikes.")
    underlying_price: Number | None = Field(description="What the strikes were chosen around, where one was known.")


class OptionQuote(Item):
    """One option's prices and greeks."""

    con_id: int = Field(description="The contract's number.")
    strike: Number = Field(description="Strike.")
    right: str = Field(description="C or P.")
    bid: Number | None = Field(description="Best bid.")
    ask: Number | None = Field(description="Best ask.")
    last: Number | None = Field(description="Last trade.")
    volume: Number | None = Field(description="Traded today.")
    implied_volatility: Number | None = Field(description="A year, 0.25 for 25 %.")
    delta: Number | None = Field(description="Delta.")
    gamma: Number | None = Field(description="Gamma.")
    vega: Number | None = Field(description="For one point of volatility.")
    theta: Number | None = Field(description="A day.")
    data_kind: DataKind = Field(description="live, frozen, delayed or delayed_frozen.")
    timestamp: Moment = Field(description="When the newest value arrived, UTC.")


class OptionQuotes(Listing[OptionQuote]):
    """Options of one expiration around the money, by strike."""

    symbol: str = Field(description="The underlying's symbol.")
    expiration: str = Field(description="yyyy-mm-dd.")
    trading_class: str = Field(description="Trading class.")
    multiplier: Number | None = Field(description="Units of the underlying in one contract.")
    currency: str = Field(description="Currency of the prices.")
    underlying_price: Number | None = Field(description="What the strikes were chosen around.")
    failed: list[FailedQuote] = Field(description="Those without a price, and why.")
    missing_subscriptions: list[str] = Field(description="What to subscribe to for live data.")


class MarketDataTools(Toolset):
    """Prices, bars and option chains."""

    toolset = "market_data"

    @abstractmethod
    @reads(time_limit=15.0)
    async def get_stock_price(self, call: Call, contract: ContractQuery) -> StockPrice:
        """Bid, ask, last, close and volume of a stock, ETF or other contract now; says whether live or delayed."""

    @abstractmethod
    @reads(time_limit=20.0)
    async def get_quotes(
        self,
        call: Call,
        symbols: Symbols | None = None,
        con_ids: ConIds | None = None,
        sec_type: SecurityType = "STK",
        exchange: Exchange = "SMART",
        currency: Currency = "USD",
        cursor: Cursor | None = None,
    ) -> Quotes:
        """Prices of up to 100 contracts in one call; sec_type, exchange and currency are those of all symbols."""

    @abstractmethod
    @reads(time_limit=25.0)
    async def get_historical_data(
        self,
        call: Call,
        contract: ContractQuery,
        duration: Duration = "1 D",
        bar_size: BarSize = "1 hour",
        what_to_show: WhatToShow | None = None,
        use_rth: Annotated[bool, Field(description="Regular trading hours only.")] = True,
        end: Annotated[AwareTime | None, Field(description="End of the range; now if left out.")] = None,
        cursor: Cursor | None = None,
    ) -> HistoricalBars:
        """Bars over a stretch of time: the newest 200, oldest first, with a cursor further back.

        Ranges over 1,000 bars come as a summary, a CSV file to fetch, and the newest 20.
        """

    @abstractmethod
    @reads(time_limit=20.0, share_for=15.0)
    async def get_option_chain(
        self,
        call: Call,
        contract: UnderlyingQuery,
        expiration: Expiration | None = None,
        strikes: Annotated[int, Field(ge=1, le=200, description="How many strikes around the money.")] = 20,
        cursor: Cursor | None = None,
    ) -> OptionChains:
        """Option expirations and strike range of an underlying; with an expiration, the strikes around the money.

        Shows the SMART chain; another exchange's if exchange names it.
        """

    @abstractmethod
    @reads(time_limit=25.0)
    async def get_option_quotes(
        self,
        call: Call,
        contract: UnderlyingQuery,
        expiration: Expiration,
        strikes: Annotated[int, Field(ge=1, le=40, description="How many strikes around the money.")] = 6,
        right: OptionRight | None = None,
        trading_class: TradingClass | None = None,
    ) -> OptionQuotes:
        """Prices, implied volatility and greeks of an underlying's options around the money, calls and puts."""
