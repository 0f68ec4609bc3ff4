"""What can be traded in the simulated market: the nouns that the rest of the gateway passes around."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

DataPermission = Literal["live", "delayed", "none"]
QuoteField = Literal["bid", "ask", "last", "close", "volume"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the seeded market moves an instrument. Never part of the protocol."""

    #: The price the walk wanders around, in the instrument's currency.
    base_price: Decimal
    #: Standard deviation of one day's logarithmic return, 0.015 for 1.5 %.
    daily_volatility: float
    #: Volume lots traded in an ordinary session; 0 for what does not trade (indices, forex).
    daily_volume: int
    #: Units in one lot of volume: 1, less for what trades in fractions.
    volume_lot: Decimal = Decimal(1)
    #: Bid and ask sizes are multiples of it.
    quote_lot: Decimal = Decimal(100)
    #: Distance between bid and ask, in ticks.
    spread_ticks: int = 1
    #: Instruments of one walk (SPX, SPY, ES) rise and fall together from day to day.
    walk: str
    #: Values that this instrument's quote never has.
    missing: frozenset[QuoteField] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One contract with its details.

    Opening hours depend on the date, so they are not fields: see `exchange_hours.trading_hours(instrument, today)`
    and `exchange_hours.liquid_hours(instrument, today)`, which give the strings of the contractDetails message.
    """

    con_id: int
    symbol: str
    #: STK (also ETFs), FUT, OPT, CASH, IND or CRYPTO.
    sec_type: str
    #: Where the query sent it: SMART, or a venue of `valid_exchanges`.
    exchange: str
    primary_exchange: str = ""
    currency: str
    local_symbol: str
    trading_class: str
    long_name: str
    #: Units of the underlying in one contract; "" for what has none.
    multiplier: str = ""
    #: Last trade date, yyyymmdd in the exchange's zone; "" for what does not expire.
    expiry: str = ""
    #: yyyymm; it differs from the expiry's month for some futures (CL expires in the month before).
    contract_month: str = ""
    strike: Decimal | None = None
    #: "C", "P" or "".
    right: str = ""
    min_tick: Decimal
    valid_exchanges: tuple[str, ...]
    order_types: tuple[str, ...]
    #: Canonical IANA name ("America/New_York"), for `zoneinfo`.
    time_zone: str
    #: The same zone as the gateway writes it in contractDetails ("US/Eastern", "MET").
    time_zone_id: str
    #: Name of the calendar in `exchange_hours`.
    calendar: str
    min_size: Decimal = Decimal(1)
    size_increment: Decimal = Decimal(1)
    industry: str = ""
    category: str = ""
    subcategory: str = ""
    isin: str = ""
    #: COMMON, ETF, ADR …, as contractDetails' stockType; "" for what is no stock.
    stock_type: str = ""
    #: One rule per valid exchange, comma separated as in contractDetails.
    market_rule_ids: str
    market_name: str
    description: str
    #: The underlying's contract id for options and futures, else 0.
    under_con_id: int = 0
    #: Which market data this session's subscriptions cover.
    data: DataPermission = "live"
    behaviour: Behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractQuery:
    """The contract fields of a request, as received. Empty, 0 and None mean "not said"."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = ""
    #: yyyymmdd, or yyyymm for every expiry of a contract month.
    expiry: str = ""
    strike: Decimal | None = None
    #: C, CALL, P or PUT; "?" and "0" are sent by clients that mean nothing.
    right: str = ""
    multiplier: str = ""
    local_symbol: str = ""
    trading_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolMatch:
    """One answer to a symbol search (message 79, symbolSamples)."""

    con_id: int
    symbol: str
    sec_type: str
    primary_exchange: str
    currency: str
    #: What can be had on it: OPT, FUT, WAR, CFD …
    derivative_sec_types: tuple[str, ...] = field(default=())
    #: The company's name; on the wire from server version 176.
    description: str = ""
    issuer_id: str = ""
