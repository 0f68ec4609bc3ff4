"""The contract database: which instrument a query means, by the rules of the real gateway."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo

from simulated_gateway import derivatives, option_chains
from simulated_gateway.clock import Clock
from simulated_gateway.instruments import ContractQuery, Instrument, SymbolMatch
from simulated_gateway.listings import FUTURES, LISTINGS
from simulated_gateway.option_chains import OPTION_CLASSES, OptionChain

_NEW_YORK = ZoneInfo("America/New_York")
#: The gateway knows NASDAQ by two names.
_SAME_VENUE = {"ISLAND": "NASDAQ"}
#: A symbol search answers at most so many.
MOST_MATCHES = 16
#: What the gateway offers on these, beside the options and futures that exist here.
_WITH_CFD = {"STK", "CASH"}


class Catalogue:
    """Every instrument of the simulated market. Derivatives are those listed on the clock's date in New York."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listed = {instrument.con_id: instrument for instrument in LISTINGS}
        # Keyed by the date too: what is listed changes with it.
        self._derivative = lru_cache(maxsize=20_000)(self._find_derivative)

    def match(self, query: ContractQuery) -> list[Instrument]:
        """Give every instrument that fits what is said; several mean that too little was said, none that it is unknown.

        Empty fields fit anything. A contract id decides alone, together with the exchange if one is named. The
        instruments come back with the exchange that was asked for.
        """
        if query.con_id:
            named = self.by_con_id(query.con_id)
            found: Iterable[Instrument] = [] if named is None else [named]
            return [_sent_to(one, query) for one in found if _trades_on(one, query.exchange)]
        return [_sent_to(one, query) for one in self._candidates(query) if _fits(one, query)]

    def by_con_id(self, con_id: int) -> Instrument | None:
        """Give the instrument with this id, or None where it is unknown, expired or not listed yet."""
        return self._listed.get(con_id) or self._derivative(con_id, self._today())

    def search(self, pattern: str) -> list[SymbolMatch]:
        """Answer reqMatchingSymbols: listings whose symbol, or a word of whose name, begins with the pattern."""
        wanted = pattern.strip().upper()
        if not wanted:
            return []
        ranked = [(rank, n, one) for n, one in enumerate(LISTINGS) if (rank := _rank(one, wanted)) is not None]
        return [_symbol_match(one) for _, _, one in sorted(ranked, key=lambda entry: entry[:2])[:MOST_MATCHES]]

    def option_chains(self, under_con_id: int) -> list[OptionChain]:
        """Answer reqSecDefOptParams: every class on every exchange; none for what is unknown or has no options."""
        underlying = self._listed.get(under_con_id)
        if underlying is None:
            return []
        return option_chains.chains(under_con_id, underlying.behaviour.base_price, self._today())

    def _today(self) -> date:
        return self._clock.now().astimezone(_NEW_YORK).date()

    def _find_derivative(self, con_id: int, today: date) -> Instrument | None:
        option_class = derivatives.option_class_of(con_id)
        if option_class is None:
            return derivatives.future_by_con_id(con_id, today)
        return derivatives.option_by_con_id(con_id, option_class, self._listed[option_class.underlying_con_id], today)

    def _candidates(self, query: ContractQuery) -> Iterable[Instrument]:
        kind = query.sec_type.upper()
        if kind == "OPT":
            return self._options(query)
        if kind == "FUT":
            return derivatives.futures(self._today())
        if kind:
            return (one for one in LISTINGS if one.sec_type == kind)
        return [*LISTINGS, *derivatives.futures(self._today())]

    def _options(self, query: ContractQuery) -> Iterable[Instrument]:
        today = self._today()
        local_class = query.local_symbol[:6].strip().upper()
        for option_class in OPTION_CLASSES:
            underlying = self._listed[option_class.underlying_con_id]
            named = {option_class.trading_class, underlying.symbol}
            class_fits = query.trading_class.upper() in {"", option_class.trading_class}
            if class_fits and (query.symbol or local_class).upper() in named:
                yield from derivatives.options(option_class, underlying, today, query)


def _fits(one: Instrument, query: ContractQuery) -> bool:
    said = (
        (query.symbol, one.symbol),
        (query.sec_type, one.sec_type),
        (_venue(query.primary_exchange), _venue(one.primary_exchange)),
        (query.currency, one.currency),
        (query.local_symbol, one.local_symbol),
        (query.trading_class, one.trading_class),
    )
    return (
        (bool(query.symbol) or bool(query.local_symbol))
        and all(not wanted or wanted.upper() == actual.upper() for wanted, actual in said)
        and _trades_on(one, query.exchange)
        and _fits_derivative(one, query)
    )


def _fits_derivative(one: Instrument, query: ContractQuery) -> bool:
    if query.multiplier and one.multiplier and query.multiplier != one.multiplier:
        return False
    if one.sec_type not in {"OPT", "FUT"}:
        return True
    month = len(query.expiry) == len("yyyymm")
    if query.expiry and query.expiry != (one.contract_month if month else one.expiry):
        return False
    wanted = query.right[:1].upper()
    return one.sec_type == "FUT" or (
        (not query.strike or query.strike == one.strike) and wanted in {"", "?", "0", one.right}
    )


def _venue(name: str) -> str:
    return _SAME_VENUE.get(name.upper(), name.upper())


def _trades_on(one: Instrument, exchange: str) -> bool:
    return not exchange or _venue(exchange) in {*one.valid_exchanges, _venue(one.primary_exchange)}


def _sent_to(one: Instrument, query: ContractQuery) -> Instrument:
    asked = query.exchange.upper()
    return replace(one, exchange=asked) if asked not in {"", one.exchange} else one


def _rank(one: Instrument, wanted: str) -> int | None:
    symbol = one.symbol.upper()
    if symbol == wanted or one.local_symbol.upper() == wanted:
        return 0
    if symbol.startswith(wanted):
        return 1
    name = one.long_name.upper()
    if name.startswith(wanted):
        return 2
    return 3 if any(word.startswith(wanted) for word in name.replace("-", " ").split()) else None


def _symbol_match(one: Instrument) -> SymbolMatch:
    kinds: list[str] = ["CFD"] if one.sec_type in _WITH_CFD else []
    if option_chains.classes_on(one.con_id):
        kinds.append("OPT")
    if any(product.pattern.under_con_id == one.con_id for product in FUTURES):
        kinds.append("FUT")
    return SymbolMatch(
        con_id=one.con_id,
        symbol=one.symbol,
        sec_type=one.sec_type,
        primary_exchange=one.primary_exchange or one.exchange,
        currency=one.currency,
        derivative_sec_types=tuple(kinds),
        description=one.long_name,
        issuer_id=f"e{one.con_id}" if one.sec_type == "STK" else "",
    )
