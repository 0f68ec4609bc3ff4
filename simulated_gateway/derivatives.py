"""Futures and options: dated contracts, made from their product for as long as they are listed.

Nothing is stored. A contract id says which contract it is, so that it means the same in every process and on every
day; whether it is listed is decided by the date.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from simulated_gateway.exchange_hours import CALENDARS
from simulated_gateway.holidays import nth_weekday, us_stocks
from simulated_gateway.instruments import Behaviour, ContractQuery, Instrument
from simulated_gateway.listings import FUTURES, OPTION_ORDERS, FutureProduct
from simulated_gateway.option_chains import BY_CODE, OptionClass, expirations, strikes

_FIRST_FUTURE = 950_000_000
_FIRST_OPTION = 1_000_000_000
#: An option's id is its class, the last bits of its expiration's day number, its strike in units and its right.
#: With 14 classes the largest stays under the 2,147,483,647 that a contract id may be.
_DAY_BITS, _STRIKE_BITS = 12, 13
_STRIKE_UNITS = {code: min(each.fine_step, each.coarse_step) / 2 for code, each in BY_CODE.items()}

_MONTH_LETTERS = "FGHJKMNQUVXZ"
_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAY = timedelta(days=1)
_FRIDAY = 4


def futures(today: date) -> list[Instrument]:
    """Give every future listed today."""
    return [future for product in FUTURES for future in _listed(product, today)]


def future_by_con_id(con_id: int, today: date) -> Instrument | None:
    """Give the future with this id if it is listed today."""
    if not _FIRST_FUTURE <= con_id < _FIRST_OPTION:
        return None
    return next((future for future in futures(today) if future.con_id == con_id), None)


def _listed(product: FutureProduct, today: date) -> Iterator[Instrument]:
    month, found = date(today.year, today.month, 1), 0
    while found < product.listed:
        if month.month in product.months and (expiry := _future_expiry(product, month)) >= today:
            found += 1
            yield _future(product, month, expiry)
        month = (month + 31 * _DAY).replace(day=1)


def _future_expiry(product: FutureProduct, month: date) -> date:
    if product.pattern.symbol != "CL":
        return _trading_day_up_to(nth_weekday(month.year, month.month, _FRIDAY, 3))
    # NYMEX rule 200102: three business days before the 25th of the month before, from the last business day up to it.
    day = _trading_day_up_to((month - _DAY).replace(day=25))
    for _ in range(3):
        day = _trading_day_up_to(day - _DAY)
    return day


def _trading_day_up_to(day: date) -> date:
    while us_stocks(day) == "closed":
        day -= _DAY
    return day


def _future(product: FutureProduct, month: date, expiry: date) -> Instrument:
    pattern = product.pattern
    # The carry depends on the contract alone, not on today: a contract's price must not jump at midnight.
    steps = (month.year - 2025) * 12 + month.month
    factor = 1 + product.carry * (steps % 24 - 12) / 12
    base = (pattern.behaviour.base_price * factor / pattern.min_tick).to_integral_value() * pattern.min_tick
    return replace(
        pattern,
        con_id=_FIRST_FUTURE + product.code * 100_000 + (month.year - 2000) * 100 + month.month,
        local_symbol=f"{pattern.symbol}{_MONTH_LETTERS[month.month - 1]}{month.year % 10}",
        expiry=f"{expiry:%Y%m%d}",
        contract_month=f"{month:%Y%m}",
        behaviour=replace(pattern.behaviour, base_price=base),
    )


def options(option_class: OptionClass, underlying: Instrument, today: date, query: ContractQuery) -> list[Instrument]:
    """Give the listed options of a class that fit the query's expiry, strike and right."""
    wanted = query.right[:1].upper()
    rights = [right for right in "CP" if wanted in {"", "?", "0", right}]
    return [
        _option(option_class, underlying, day, strike, right)
        for day in expirations(option_class.schedule, today)
        if f"{day:%Y%m%d}".startswith(query.expiry)
        for strike in strikes(option_class, underlying.behaviour.base_price, day, today)
        if not query.strike or strike == query.strike
        for right in rights
    ]


def option_class_of(con_id: int) -> OptionClass | None:
    """Give the class that an option's id names, whether or not such an option is listed."""
    if con_id < _FIRST_OPTION:
        return None
    return BY_CODE.get((con_id - _FIRST_OPTION) >> (1 + _STRIKE_BITS + _DAY_BITS))


def option_by_con_id(con_id: int, option_class: OptionClass, underlying: Instrument, today: date) -> Instrument | None:
    """Give the option with this id if it is listed today."""
    rest, put = divmod(con_id - _FIRST_OPTION, 2)
    rest, units = divmod(rest, 1 << _STRIKE_BITS)
    day_bits = rest % (1 << _DAY_BITS)
    strike = units * _STRIKE_UNITS[option_class.code]
    for day in expirations(option_class.schedule, today):
        if day.toordinal() % (1 << _DAY_BITS) == day_bits:
            if strike in strikes(option_class, underlying.behaviour.base_price, day, today):
                return _option(option_class, underlying, day, strike, "P" if put else "C")
            return None
    return None


def _option_con_id(option_class: OptionClass, day: date, strike: Decimal, right: str) -> int:
    number = option_class.code
    number = (number << _DAY_BITS) + day.toordinal() % (1 << _DAY_BITS)
    number = (number << _STRIKE_BITS) + int(strike / _STRIKE_UNITS[option_class.code])
    return _FIRST_OPTION + number * 2 + (right == "P")


def _option(option_class: OptionClass, underlying: Instrument, day: date, strike: Decimal, right: str) -> Instrument:
    hours = CALENDARS[option_class.calendar]
    name = option_class.trading_class
    moneyness = abs(float(strike / underlying.behaviour.base_price) - 1.0)
    return Instrument(
        con_id=_option_con_id(option_class, day, strike, right),
        symbol=underlying.symbol,
        sec_type="OPT",
        exchange="SMART",
        currency=underlying.currency,
        local_symbol=f"{name:<6}{day:%y%m%d}{right}{int(strike * 1000):08d}",
        trading_class=name,
        long_name=underlying.long_name,
        multiplier=option_class.multiplier,
        expiry=f"{day:%Y%m%d}",
        contract_month=f"{day:%Y%m}",
        strike=strike,
        right=right,
        min_tick=option_class.min_tick,
        valid_exchanges=option_class.exchanges,
        order_types=OPTION_ORDERS,
        time_zone=hours.zone,
        time_zone_id=hours.zone_id,
        calendar=option_class.calendar,
        market_rule_ids=",".join(["109"] * len(option_class.exchanges)),
        market_name=name,
        description=f"{name} {_MONTH_NAMES[day.month - 1]}{day:%d'%y} {strike.normalize():f} {right}",
        under_con_id=underlying.con_id,
        data=underlying.data,
        behaviour=Behaviour(
            base_price=Decimal(0),
            daily_volatility=underlying.behaviour.daily_volatility,
            daily_volume=int(6_000 / (1.0 + (moneyness * 25.0) ** 2)),
            spread_ticks=4,
            quote_lot=Decimal(1),
            walk=underlying.behaviour.walk,
        ),
    )
