"""What a request for historical bars may say, and the gateway's words for what it may not.

The texts were seen in logs of real gateways unless a comment says otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from simulated_gateway.instruments import Instrument
from simulated_gateway.market_data import InvalidRequest

#: Intraday sizes in seconds, as the gateway spells them.
_INTRADAY: Final = {
    "1 secs": 1, "5 secs": 5, "10 secs": 10, "15 secs": 15, "30 secs": 30,
    "1 min": 60, "2 mins": 120, "3 mins": 180, "5 mins": 300, "10 mins": 600, "15 mins": 900, "20 mins": 1200,
    "30 mins": 1800, "1 hour": 3600, "2 hours": 7200, "3 hours": 10800, "4 hours": 14400, "8 hours": 28800,
}  # fmt: skip
Period = Literal["day", "week", "month"]
_PERIODS: Final[dict[str, Period]] = {
    "1 day": "day", "1W": "week", "1 week": "week", "1M": "month", "1 month": "month",
}  # fmt: skip
_LEGAL_SIZES: Final = ", ".join([*_INTRADAY, "1 day", "1W", "1M"])

Unit = Literal["S", "D", "W", "M", "Y"]
#: The most of each unit, and what the gateway says past it. Thirty years are this simulation's own limit.
_MOST: Final[dict[str, tuple[int, str]]] = {
    "S": (86_400, "Historical data request for greater than 86400 seconds rejected."),
    "D": (365, "Historical data requests for durations longer than 365 days must be made in years."),
    "W": (52, "Historical data request for durations longer than 52 weeks must be made in years."),
    "M": (12, "Historical data request for durations longer than 12 months must be made in years."),
    "Y": (30, "Historical data requested duration is invalid."),
}

Shown = Literal["TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK", "ADJUSTED_LAST", "AGGTRADES"]
OF_TRADES: Final = frozenset({"TRADES", "ADJUSTED_LAST", "AGGTRADES"})
#: What the gateway calls each in its messages.
_SPOKEN: Final[dict[Shown, str]] = {
    "TRADES": "Last", "ADJUSTED_LAST": "Last", "AGGTRADES": "Last", "MIDPOINT": "MidPoint", "BID": "Bid",
    "ASK": "Ask", "BID_ASK": "BidAsk",
}  # fmt: skip
#: Known to the gateway, but there is no such data here.
_WITHOUT_DATA: Final = frozenset({"HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY", "FEE_RATE", "SCHEDULE"})


@dataclass(frozen=True, slots=True)
class BarSize:
    """Seconds for intraday bars, else the period; the other is None."""

    seconds: int | None
    period: Period | None


@dataclass(frozen=True, slots=True)
class Duration:
    """How far back: seconds of trading, trading days, or calendar weeks, months and years."""

    count: int
    unit: Unit


def parse_bar_size(text: str) -> BarSize:
    """Read a bar size setting such as "1 hour" or "1W"; InvalidRequest 321 for an unknown one."""
    size = BarSize(_INTRADAY.get(text), _PERIODS.get(text))
    if size == BarSize(None, None):
        raise _refused(f"Historical data bar size setting is invalid. Legal ones are: {_LEGAL_SIZES}")
    return size


def parse_duration(text: str) -> Duration:
    """Read a duration such as "1 D"; InvalidRequest 321 for what is no duration or too long in its unit."""
    found = re.fullmatch(r"(\d{1,6}) ([SDWMY])", text.strip())
    if found is None or int(found[1]) == 0:
        raise _refused("Historical data requested duration is invalid.")
    count, unit = int(found[1]), found[2]
    most, complaint = _MOST[unit]
    if count > most:
        raise _refused(complaint)
    units: dict[str, Unit] = {"S": "S", "D": "D", "W": "W", "M": "M", "Y": "Y"}
    return Duration(count, units[unit])


def parse_shown(text: str, instrument: Instrument, size: BarSize, *, open_ended: bool) -> Shown:
    """Read whatToShow and check that the instrument has such data; InvalidRequest 321, 162 or 10299 where not."""
    if text in _WITHOUT_DATA:
        raise no_data(instrument, text)
    shown: Shown | None = next((known for known in _SPOKEN if known == text), None)
    if shown is None:
        # Our own wording: no log with the real one was at hand.
        raise _refused(
            f"Historical data what-to-show setting '{text}' is invalid. Legal ones are: {', '.join(_SPOKEN)}"
        )
    if shown == "ADJUSTED_LAST" and not open_ended:
        raise _refused("End date not supported with adjusted last")
    _check_kind(shown, instrument, size)
    if instrument.data == "none":
        raise failed(f"No market data permissions for {instrument.primary_exchange} {instrument.sec_type}")
    missing = instrument.behaviour.missing
    if (shown in OF_TRADES and "last" in missing) or (shown not in OF_TRADES and "bid" in missing):
        raise no_data(instrument, _SPOKEN[shown])
    return shown


def _check_kind(shown: Shown, instrument: Instrument, size: BarSize) -> None:
    kind = instrument.sec_type
    if kind == "CRYPTO" and shown == "TRADES":
        raise InvalidRequest(10299, "Expected what to show is AGGTRADES, please use that instead of TRADES.")
    absent = (
        (kind == "CASH" and shown in OF_TRADES)
        or (kind == "IND" and shown not in OF_TRADES)
        or (kind != "CRYPTO" and shown == "AGGTRADES")
    )
    if absent:
        venue = "FXSUBPIP" if kind == "CASH" else instrument.exchange
        length = size.seconds if size.seconds is not None else f"1 {size.period}"
        raise failed(f"No historical market data for {instrument.symbol}/{kind}@{venue} {_SPOKEN[shown]} {length}")


def no_data(instrument: Instrument, shown: str) -> InvalidRequest:
    """Give the refusal for a request that found nothing."""
    return failed(f"HMDS query returned no data: {instrument.local_symbol}@{instrument.exchange} {shown}")


def failed(reason: str) -> InvalidRequest:
    """Give error 162 as the data service words it."""
    return InvalidRequest(162, f"Historical Market Data Service error message:{reason}")


def _refused(cause: str) -> InvalidRequest:
    return InvalidRequest(321, f"Error validating request.-'bW' : cause - {cause}")
