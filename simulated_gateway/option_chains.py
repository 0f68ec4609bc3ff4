"""Option chains: which expirations and strikes exist on which underlying today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from simulated_gateway.holidays import nth_weekday, us_stocks

_DAY = timedelta(days=1)
_MONDAY, _FRIDAY = 0, 4

#: Expirations nearer than this have the fine strikes, later ones only the coarse.
_FINE_UNTIL = timedelta(days=60)
#: Even near expirations list fine strikes only this close to the base price.
_FINE_REACH = Decimal("0.12")

#: `weekly`: Fridays for six weeks, then months, quarters and Januaries. `monthly`: without the weeks.
#: `daily`: every trading day for three weeks, Fridays for eight, month ends.
Schedule = Literal["weekly", "monthly", "daily"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionChain:
    """One answer to reqSecDefOptParams (message 75): a trading class on one exchange.

    As on the real gateway, not every combination of the expirations and strikes exists as a contract.
    """

    exchange: str
    underlying_con_id: int
    trading_class: str
    multiplier: str
    #: Last trade dates, yyyymmdd, ascending.
    expirations: tuple[str, ...]
    #: In the underlying's currency, ascending.
    strikes: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionClass:
    """The options of one trading class. The code is part of their contract ids and must never be used again."""

    code: int
    trading_class: str
    underlying_con_id: int
    schedule: Schedule = "weekly"
    calendar: str = "us_options"
    fine_step: Decimal
    coarse_step: Decimal
    #: How far the strikes go from the underlying's base price, as a share of it.
    reach: Decimal = Decimal("0.4")
    min_tick: Decimal = Decimal("0.01")
    exchanges: tuple[str, ...] = ("SMART", "AMEX", "BATS", "BOX", "CBOE", "CBOE2", "ISE", "NASDAQOM", "PHLX", "PSE")
    multiplier: str = "100"


def _class(code: int, trading_class: str, underlying: int, fine: str, coarse: str) -> OptionClass:
    return OptionClass(
        code=code,
        trading_class=trading_class,
        underlying_con_id=underlying,
        fine_step=Decimal(fine),
        coarse_step=Decimal(coarse),
    )


def _spx(code: int, trading_class: str, schedule: Schedule) -> OptionClass:
    return OptionClass(
        code=code,
        trading_class=trading_class,
        underlying_con_id=416904,
        schedule=schedule,
        calendar="us_index_options",
        fine_step=Decimal(5),
        coarse_step=Decimal(25),
        reach=Decimal("0.25"),
        min_tick=Decimal("0.05"),
        exchanges=("SMART", "CBOE"),
    )


OPTION_CLASSES: tuple[OptionClass, ...] = (
    _class(0, "AAPL", 265598, "2.5", "5"),
    _class(1, "SPY", 756733, "1", "5"),
    _class(2, "MSFT", 272093, "2.5", "10"),
    _class(3, "NVDA", 4815747, "2.5", "5"),
    _class(4, "TSLA", 76792991, "2.5", "10"),
    _class(5, "AMZN", 3691937, "2.5", "5"),
    _class(6, "QQQ", 320227571, "1", "5"),
    _class(7, "IBM", 8314, "2.5", "5"),
    _class(8, "KO", 8894, "1", "2.5"),
    _class(9, "JPM", 1520593, "2.5", "5"),
    _class(10, "META", 107113386, "2.5", "10"),
    _class(11, "GOOGL", 208813719, "2.5", "5"),
    _spx(12, "SPX", "monthly"),
    _spx(13, "SPXW", "daily"),
)

BY_CODE = {option_class.code: option_class for option_class in OPTION_CLASSES}


def classes_on(underlying_con_id: int) -> list[OptionClass]:
    """Give the option classes of an underlying; none for what has no options here."""
    return [found for found in OPTION_CLASSES if found.underlying_con_id == underlying_con_id]


@lru_cache(maxsize=64)
def expirations(schedule: Schedule, today: date) -> tuple[date, ...]:
    """Give the expirations listed today (New York's date), ascending. Those of today are still listed."""
    days: set[date] = set()
    this_friday = today + timedelta(days=(_FRIDAY - today.weekday()) % 7)
    weeks = {"weekly": 6, "monthly": 0, "daily": 8}[schedule]
    days.update(this_friday + timedelta(weeks=week) for week in range(weeks))
    months = [_month_after(today, offset) for offset in range(31)]
    if schedule == "daily":
        days.update(today + timedelta(days=offset) for offset in range(21) if (today + offset * _DAY).weekday() < 5)
        days.update(_month_after(first, 1) - _DAY for first in months[:7])
    else:
        thirds = [nth_weekday(first.year, first.month, _FRIDAY, 3) for first in months]
        days.update(third for n, third in enumerate(thirds) if n < 4 or (n < 13 and third.month % 3 == 0))
        days.update(third for third in thirds if third.month == 1)
    return tuple(sorted({trading for trading in map(_last_trading_day, days) if trading >= today}))


def _month_after(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, 1)


def _last_trading_day(day: date) -> date:
    while us_stocks(day) == "closed":
        day -= _DAY
    return day


def strikes(option_class: OptionClass, base_price: Decimal, expiration: date, today: date) -> tuple[Decimal, ...]:
    """Give the strikes that exist for one expiration, ascending."""
    return _strikes(option_class, base_price, expiration - today <= _FINE_UNTIL)


@lru_cache(maxsize=128)
def _strikes(option_class: OptionClass, base_price: Decimal, fine: bool) -> tuple[Decimal, ...]:
    found = set(_grid(base_price, option_class.reach, option_class.coarse_step))
    if fine:
        found.update(_grid(base_price, _FINE_REACH, option_class.fine_step))
    return tuple(sorted(found))


def _grid(base_price: Decimal, reach: Decimal, step: Decimal) -> list[Decimal]:
    lowest = int(base_price * (1 - reach) / step) + 1
    highest = int(base_price * (1 + reach) / step)
    return [step * n for n in range(lowest, highest + 1)]


def chains(underlying_con_id: int, base_price: Decimal, today: date) -> list[OptionChain]:
    """Give the chains on an underlying, one for each class and exchange."""
    found: list[OptionChain] = []
    for option_class in classes_on(underlying_con_id):
        dates = expirations(option_class.schedule, today)
        all_strikes = {strike for day in dates for strike in strikes(option_class, base_price, day, today)}
        found.extend(
            OptionChain(
                exchange=exchange,
                underlying_con_id=underlying_con_id,
                trading_class=option_class.trading_class,
                multiplier=option_class.multiplier,
                expirations=tuple(f"{day:%Y%m%d}" for day in dates),
                strikes=tuple(sorted(all_strikes)),
            )
            for exchange in option_class.exchanges
        )
    return found
