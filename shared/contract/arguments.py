"""The argument types the tools share: what is understood, what is refused, and in which words.

Agents send numbers as strings, words in lower case and null for what they leave out; all of that is understood.
What could be meant in two ways is refused.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    WithJsonSchema,
    model_validator,
)


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - pydantic reports ValueErrors
    return value.strip() if isinstance(value, str) else value


def _as_text(value: object) -> object:
    """Hosts send identifiers as numbers; a number's digits are the text meant."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _aware_time(value: object) -> object:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("must be a time like 2026-11-20T16:00:00Z or 2026-11-20T11:00:00-05:00") from None
    if not isinstance(value, datetime):
        raise ValueError("must be a time like 2026-11-20T16:00:00Z")  # noqa: TRY004
    if value.tzinfo is None:
        raise ValueError(f"must say its time zone, for example {value.isoformat()}Z for UTC")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie in the years 1 to 9999, also in UTC") from None


Amount = Annotated[Decimal, BeforeValidator(_no_bool), WithJsonSchema({"type": "number"})]
"""A number or a string of digits, exact; NaN and infinities are refused."""

Quantity = Annotated[
    Amount,
    Field(gt=0, le=10_000_000, decimal_places=8, description="Number of shares, contracts or units; always positive."),
]
Price = Annotated[
    Amount,
    Field(gt=0, le=10_000_000, decimal_places=8, description="Price in the contract's currency, on its tick."),
]
Action = Annotated[Literal["BUY", "SELL"], BeforeValidator(_upper), Field(description="BUY or SELL.")]
TimeInForce = Annotated[
    Literal["DAY", "GTC", "IOC", "OPG"],
    BeforeValidator(_upper),
    Field(
        description="How long it lives: DAY, GTC (until cancelled), IOC (at once or not at all), OPG (at the opening)."
    ),
]
SecurityType = Annotated[
    Literal["STK", "OPT", "FUT", "FOP", "CASH", "IND", "CRYPTO", "CFD", "BOND", "FUND", "WAR", "CMDTY"],
    BeforeValidator(_upper),
    Field(description="Security type: STK (stocks and ETFs), OPT, FUT, CASH (forex), IND, CRYPTO, …"),
]
Account = Annotated[
    str,
    BeforeValidator(_upper),
    Field(pattern=r"^[A-Z][A-Z0-9]{3,15}$", description="Account number; get_status lists them."),
]
ClientOrderId = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(
        pattern=r"^[A-Za-z0-9._-]*[A-Za-z][A-Za-z0-9._-]*$",
        max_length=64,
        description="Your own name for this order, with at least one letter. The same name and the same order give the "
        "same answer again and never a second order. Made and returned if left out.",
    ),
]
OrderHandle = Annotated[
    str,
    BeforeValidator(_as_text),
    AfterValidator(str.strip),
    Field(
        min_length=1,
        max_length=64,
        description="The order: its order_id number, perm:N for its permanent id, or its client_order_id.",
    ),
]
Pattern = Annotated[
    str, AfterValidator(str.strip), Field(min_length=1, max_length=60, description="Part of a symbol or company name.")
]
Cursor = Annotated[
    str, Field(max_length=120, description="next_cursor of the previous answer, to go on where it ended.")
]
AwareTime = Annotated[datetime, BeforeValidator(_aware_time), WithJsonSchema({"type": "string", "format": "date-time"})]

BAR_SIZES = (
    "1 secs", "5 secs", "10 secs", "15 secs", "30 secs",
    "1 min", "2 mins", "3 mins", "5 mins", "10 mins", "15 mins", "20 mins", "30 mins",
    "1 hour", "2 hours", "3 hours", "4 hours", "8 hours",
    "1 day", "1 week", "1 month",
)  # fmt: skip
"""Every bar size the gateway takes. Source: TWS API, Historical Bar Sizes."""

_UNIT_WORDS = {
    "S": "S", "SEC": "S", "SECS": "S", "SECOND": "S", "SECONDS": "S",
    "D": "D", "DAY": "D", "DAYS": "D",
    "W": "W", "WEEK": "W", "WEEKS": "W",
    "M": "M", "MONTH": "M", "MONTHS": "M",
    "Y": "Y", "YEAR": "Y", "YEARS": "Y",
}  # fmt: skip


def _duration(value: object) -> object:
    match = re.fullmatch(r"\s*(\d{1,5})\s*([A-Za-z]+)\s*", value) if isinstance(value, str) else None
    unit = _UNIT_WORDS.get(match[2].upper()) if match else None
    if match is None or unit is None or int(match[1]) == 0:
        raise ValueError("must be a count and a unit: 60 S (seconds), 1 D, 2 W, 3 M (months) or 1 Y")
    return f"{int(match[1])} {unit}"


def _bar_size(value: object) -> object:
    if isinstance(value, str):
        wanted = re.sub(r"\s+", "", value).lower()
        for size in BAR_SIZES:
            if size.replace(" ", "").rstrip("s") == wanted.rstrip("s"):
                return size
    raise ValueError("must be one of: " + ", ".join(BAR_SIZES))


Duration = Annotated[
    str,
    BeforeValidator(_duration),
    Field(description="How far back: a count and S, D, W, M (months) or Y, such as '1 D' or '3 M'."),
]
BarSize = Annotated[
    str, BeforeValidator(_bar_size), Field(description="One bar's length: " + ", ".join(BAR_SIZES) + ".")
]
WhatToShow = Annotated[
    Literal[
        "TRADES",
        "AGGTRADES",
        "MIDPOINT",
        "BID",
        "ASK",
        "BID_ASK",
        "ADJUSTED_LAST",
        "HISTORICAL_VOLATILITY",
        "OPTION_IMPLIED_VOLATILITY",
    ],
    BeforeValidator(_upper),
    Field(description="What the bars are made of. TRADES if left out; MIDPOINT for forex, AGGTRADES for crypto."),
]
Expiration = Annotated[
    str,
    BeforeValidator(_as_text),
    AfterValidator(lambda text: text.replace("-", "")),
    Field(pattern=r"^\d{4}-?\d{2}-?\d{2}$", description="Expiration date, 2026-12-18 or 20261218."),
]


def _right(value: object) -> object:
    word = _upper(value)
    return {"CALL": "C", "PUT": "P"}.get(word, word) if isinstance(word, str) else value


def _listed(value: object) -> object:
    """Some hosts send a list as its JSON text, or one entry bare."""
    if isinstance(value, str):
        return [part for part in re.split(r"[\s,\[\]\"']+", value) if part]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


Symbol = Annotated[str, BeforeValidator(_upper), Field(min_length=1, max_length=40, description="Symbol at IBKR.")]
OptionRight = Annotated[Literal["C", "P"], BeforeValidator(_right), Field(description="C (call) or P (put).")]
ConId = Annotated[
    int, BeforeValidator(_no_bool), Field(gt=0, le=2**31 - 1, description="The contract's number at IBKR.")
]
Symbols = Annotated[
    list[Annotated[str, BeforeValidator(_as_text), BeforeValidator(_upper), Field(min_length=1, max_length=40)]],
    BeforeValidator(_listed),
    Field(max_length=100, description="Symbols, at most 100."),
]
Exchange = Annotated[
    str, BeforeValidator(_upper), Field(max_length=20, description="Exchange; SMART routes to the best.")
]
Currency = Annotated[
    str, BeforeValidator(_upper), Field(pattern=r"^[A-Z]{3,5}$", description="The contract's currency.")
]
TradingClass = Annotated[
    str,
    BeforeValidator(_upper),
    Field(min_length=1, max_length=20, description="Such as SPXW, where there are several."),
]
ConIds = Annotated[
    list[ConId], BeforeValidator(_listed), Field(max_length=100, description="Contracts by number, beside or instead.")
]


DATED = frozenset({"OPT", "FUT", "FOP", "WAR", "BOND"})
"""Security types of contracts that end on a day."""


class ArgumentGroup(BaseModel):
    """Arguments that several tools share; the contract spreads them flat over each tool's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class UnderlyingQuery(ArgumentGroup):
    """Which stock, index, future or pair is meant: a symbol with what tells it apart, or a con_id alone."""

    symbol: Annotated[
        str,
        BeforeValidator(_upper),
        Field(max_length=40, description="Symbol, such as AAPL or EUR. Not needed with con_id."),
    ] = ""
    exchange: Exchange = "SMART"
    currency: Currency = "USD"
    primary_exchange: Annotated[
        str | None,
        BeforeValidator(_upper),
        Field(max_length=20, description="Listing exchange, to tell apart equal symbols."),
    ] = None
    sec_type: SecurityType = "STK"
    con_id: Annotated[
        int | None,
        BeforeValidator(_no_bool),
        Field(
            gt=0,
            le=2**31 - 1,
            description="The contract's number at IBKR; alone it names anything, futures and forex too.",
        ),
    ] = None

    _note: str | None = PrivateAttr(default=None)

    @property
    def note(self) -> str | None:
        """What was read differently from how it was written, for the answer to say."""
        return self._note

    @property
    def explicit(self) -> frozenset[str]:
        """The names of the arguments the caller gave; defaults do not narrow a con_id."""
        return frozenset(self.model_fields_set)

    def as_contract(self) -> ContractQuery:
        """The same as a query for any contract."""
        return ContractQuery(**self.model_dump(include=set(self.model_fields_set)))

    @model_validator(mode="before")
    @classmethod
    def _forex_pair(cls, data: dict[str, Any]) -> dict[str, Any]:
        """``EUR.USD`` and ``EURUSD`` as forex mean symbol EUR in currency USD."""
        if str(data.get("sec_type", "")).strip().upper() != "CASH":
            return data
        pair = re.fullmatch(r"([A-Z]{3})[./]?([A-Z]{3})", str(data.get("symbol", "")).strip().upper())
        if pair is None or str(data.get("currency") or pair[2]).strip().upper() != pair[2]:
            return data
        return {**data, "symbol": pair[1], "currency": pair[2]}

    @model_validator(mode="after")
    def _named(self) -> UnderlyingQuery:
        if not self.symbol and self.con_id is None:
            raise ValueError("symbol or con_id is needed")
        share_class = re.fullmatch(r"([A-Z]{1,5})[.\-/]([A-Z]{1,2})", self.symbol)
        if share_class and self.sec_type == "STK" and self.currency == "USD":
            written, meant = self.symbol, f"{share_class[1]} {share_class[2]}"
            object.__setattr__(self, "symbol", meant)
            self._note = f"{written} is written '{meant}' at IBKR"
        return self


class ContractQuery(UnderlyingQuery):
    """Which contract is meant, of any type: with expiry, strike and right for futures and options."""

    expiry: Annotated[
        str | None,
        BeforeValidator(_as_text),
        AfterValidator(lambda text: text.replace("-", "") if text else None),
        Field(
            pattern=r"^\d{4}-?\d{2}(-?\d{2})?$", description="Of a future or option: 2026-12-18, or a month 2026-12."
        ),
    ] = None
    strike: Annotated[Amount | None, Field(gt=0, le=10_000_000, description="Of an option.")] = None
    right: OptionRight | None = None
    multiplier: Annotated[Amount | None, Field(gt=0, le=10_000_000, description="To tell apart equal contracts.")] = (
        None
    )

    @model_validator(mode="after")
    def _dated(self) -> ContractQuery:
        if self.con_id is None and self.sec_type not in DATED and (self.expiry or self.strike or self.right):
            raise ValueError("expiry, strike and right need sec_type OPT, FUT or FOP")
        return self


class OrderTerms(ArgumentGroup):
    """What every order tool takes beside its own quantity and price."""

    tif: TimeInForce = "DAY"
    outside_rth: Annotated[bool, Field(description="Whether the order may fill outside regular trading hours.")] = False
    account: Account | None = None
    client_order_id: ClientOrderId | None = None
    repeat_of: Annotated[
        str | None,
        BeforeValidator(_as_text),
        Field(
            max_length=64,
            description="Only where an order was held back as a duplicate and a second one is really wanted: the "
            "first order, as the answer named it.",
        ),
    ] = None
