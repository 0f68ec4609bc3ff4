"""Which contract a call means: looked up once, checked against all that was said, and remembered."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ib_async import Contract
from pydantic import TypeAdapter

from broker_worker.cache_file import CacheFile
from broker_worker.contract_words import candidates, contradiction, describe, how_to_tell_apart, where_to_look
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.convert import exact, wire_number
from broker_worker.gateway.link import GatewayLink
from broker_worker.gateway.requests import Wanted
from broker_worker.gateway.waiting import IMPATIENT, Patience
from broker_worker.single_flight import SingleFlight
from shared import clock, json_text
from shared.contract.arguments import ContractQuery
from shared.errors import AmbiguousContract, InvalidArgument, UnknownContract

if TYPE_CHECKING:
    from ib_async import ContractDetails

SECONDS = 8.0
KEEP_MOST = 2_000

_SMART_TYPES = frozenset({"STK", "OPT", "WAR", "BAG", "CFD", "BOND", "FUND"})
"""Types that SMART can route; the others are looked for at every exchange and used where they are found."""
_NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One contract as the gateway lists it; absent words are empty, absent numbers None."""

    con_id: int
    symbol: str
    sec_type: str
    exchange: str
    primary_exchange: str
    currency: str
    expiry: str
    """Last trading day, ``yyyymmdd``."""
    strike: Decimal | None
    right: str
    multiplier: str
    local_symbol: str
    trading_class: str
    long_name: str
    market_name: str
    min_tick: Decimal | None
    size_increment: Decimal | None
    valid_exchanges: tuple[str, ...]
    time_zone: str | None
    """The exchange's zone by its IANA name, where the gateway gives one that is known."""
    liquid_hours: str
    """Regular hours of the next days, in the exchange's zone. Source: TWS API, ContractDetails.liquidHours."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One contract, known for certain."""

    contract: Contract
    """With its con_id and the exchange to use; its currency is that of every price."""
    listed: Listed

    @property
    def min_tick(self) -> Decimal | None:
        """The smallest step of its price."""
        return self.listed.min_tick

    @property
    def size_increment(self) -> Decimal | None:
        """The smallest step of a quantity."""
        return self.listed.size_increment

    @property
    def time_zone(self) -> str | None:
        """The exchange's zone."""
        return self.listed.time_zone

    @property
    def long_name(self) -> str:
        """The company's or product's name."""
        return self.listed.long_name


_ROWS = TypeAdapter(list[Listed])


class ContractBook:
    """Resolves what a call says to exactly one contract; what it finds is kept, over restarts too, until the night."""

    def __init__(self, link: GatewayLink, file: CacheFile) -> None:
        self._link = link
        self._file = file
        self._known: OrderedDict[str, tuple[float, list[Listed]]] = OrderedDict()
        self._flight = SingleFlight[str, list[Listed]]()

    async def resolve(self, query: ContractQuery, patience: Patience = IMPATIENT) -> Resolved:
        """The contract that is meant. Raises ``UnknownContract``, or ``AmbiguousContract`` naming the candidates."""
        fitting = await self.all(query, patience)
        if len({listed.con_id for listed in fitting}) > 1:
            raise AmbiguousContract(
                f"{describe(query)} could be {candidates(fitting)}", action=how_to_tell_apart(query)
            )
        return resolved(query, fitting[0])

    async def all(self, query: ContractQuery, patience: Patience = IMPATIENT) -> list[Listed]:
        """Every contract that fits, at least one; raises ``UnknownContract`` where none does."""
        asked = as_asked(query)
        found = await self.listed(asked, patience)
        fitting = [listed for listed in found if fits(query, listed)]
        if not fitting:
            why = f"IBKR knows no {describe(query)}" if not found else contradiction(query, found)
            raise UnknownContract(why, action=where_to_look(query))
        return fitting

    async def listed(self, asked: Contract, patience: Patience = IMPATIENT) -> list[Listed]:
        """What the gateway lists for this, without doubt about what is meant; empty for what it does not know."""
        key = _key(asked)
        known = self._known.get(key)
        if known is not None and clock.now().timestamp() < known[0]:
            self._known.move_to_end(key)
            return known[1]
        return await self._flight.do(key, patience, lambda shared: self._look_up(key, asked, shared))

    async def _look_up(self, key: str, asked: Contract, patience: Patience) -> list[Listed]:
        if (stored := await self._file.get(key)) is not None:
            found, until = _ROWS.validate_json(stored.body), stored.until
        else:
            found, until = await self._ask(asked, patience), 0.0
            if found:
                until = until_night(found[0].time_zone)
                await self._file.put(key, _ROWS.dump_json(found), until)
        if found:
            self._known[key] = (until, found)
            if len(self._known) > KEEP_MOST:
                self._known.popitem(last=False)
        return found

    async def _ask(self, asked: Contract, patience: Patience) -> list[Listed]:
        session = self._link.session
        try:
            found = cast(
                "list[ContractDetails]",
                await session.ask(
                    Wanted.CONTRACTS,
                    Lane.QUOTE,
                    SECONDS,
                    lambda request: session.client.reqContractDetails(request, asked),
                    patience=patience,
                ),
            )
        except UnknownContract:
            return []
        # Hundreds of options of one expiration must not hold up the others.
        return await asyncio.to_thread(_all_listed, found) if len(found) > 50 else _all_listed(found)


def until_night(zone: str | None, now: datetime | None = None) -> float:
    """When what is listed may change, in Unix seconds: overnight, in the exchange's zone."""
    local = (now or clock.now()).astimezone(ZoneInfo(zone) if zone else _NEW_YORK)
    midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), local.tzinfo)
    return midnight.timestamp()


def as_asked(query: ContractQuery) -> Contract:
    """The query as the gateway takes it. With a con_id the rest only checks the answer."""
    if query.con_id is not None:
        return Contract(conId=query.con_id)
    exchange = query.exchange
    if exchange == "SMART" and query.sec_type not in _SMART_TYPES:
        exchange = {"CASH": "IDEALPRO"}.get(query.sec_type, "")
    return Contract(
        symbol=query.symbol,
        secType=query.sec_type,
        exchange=exchange,
        currency=query.currency,
        primaryExchange=query.primary_exchange or "",
        lastTradeDateOrContractMonth=query.expiry or "",
        strike=wire_number(query.strike) if query.strike else 0.0,
        right=query.right or "",
        multiplier=json_text.decimal_text(query.multiplier) if query.multiplier else "",
    )


def fits(query: ContractQuery, listed: Listed) -> bool:
    """Whether a found contract agrees with all the caller said: a con_id with another symbol is a mistake."""
    said = query.explicit
    return (
        ("symbol" not in said or not query.symbol or listed.symbol == query.symbol)
        and ("currency" not in said or listed.currency == query.currency)
        and ("sec_type" not in said or listed.sec_type == query.sec_type)
        and (query.primary_exchange is None or listed.primary_exchange in {query.primary_exchange, ""})
        # A month was answered by the gateway itself: some futures expire in the month before their own.
        and (query.expiry is None or len(query.expiry) == len("yyyymm") or listed.expiry == query.expiry)
        and (query.strike is None or listed.strike == query.strike)
        and (query.right is None or listed.right == query.right)
        and (query.multiplier is None or exact(listed.multiplier) == query.multiplier)
    )


def resolved(query: ContractQuery, listed: Listed) -> Resolved:
    """The contract with the exchange to use; raises ``InvalidArgument`` for one it is not traded at."""
    if "exchange" in query.explicit and query.exchange != "SMART":
        exchange = query.exchange
    else:
        exchange = "SMART" if listed.sec_type in _SMART_TYPES else listed.exchange
    if listed.valid_exchanges and exchange not in listed.valid_exchanges:
        raise InvalidArgument(
            f"{listed.symbol} is not traded at {exchange}",
            action=f"use one of {', '.join(listed.valid_exchanges[:12])}",
        )
    return Resolved(wire_contract(listed, exchange), listed)


def wire_contract(listed: Listed, exchange: str) -> Contract:
    """The contract as requests and orders carry it."""
    return Contract(
        conId=listed.con_id,
        symbol=listed.symbol,
        secType=listed.sec_type,
        exchange=exchange,
        primaryExchange=listed.primary_exchange,
        currency=listed.currency,
        lastTradeDateOrContractMonth=listed.expiry,
        strike=wire_number(listed.strike) if listed.strike else 0.0,
        right=listed.right,
        multiplier=listed.multiplier,
        localSymbol=listed.local_symbol,
        tradingClass=listed.trading_class,
    )


def _key(asked: Contract) -> str:
    return (
        f"contract:{asked.conId}|{asked.symbol}|{asked.secType}|{asked.exchange}|{asked.primaryExchange}"
        f"|{asked.currency}|{asked.lastTradeDateOrContractMonth}|{asked.strike}|{asked.right}|{asked.multiplier}"
        f"|{asked.tradingClass}"
    )


@cache
def _known_zone(zone: str) -> str | None:
    try:
        return ZoneInfo(zone).key if zone else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _all_listed(found: list[ContractDetails]) -> list[Listed]:
    return [_listed(details, details.contract) for details in found if details.contract is not None]


def _listed(details: ContractDetails, contract: Contract) -> Listed:
    return Listed(
        con_id=contract.conId,
        symbol=contract.symbol,
        sec_type=contract.secType,
        exchange=contract.exchange,
        primary_exchange=contract.primaryExchange,
        currency=contract.currency,
        expiry=contract.lastTradeDateOrContractMonth[:8],
        strike=exact(contract.strike) or None,
        right=contract.right if contract.right in {"C", "P"} else "",
        multiplier=contract.multiplier,
        local_symbol=contract.localSymbol,
        trading_class=contract.tradingClass,
        long_name=details.longName,
        market_name=details.marketName,
        min_tick=exact(details.minTick) or None,
        size_increment=exact(details.sizeIncrement) or None,
        valid_exchanges=tuple(details.validExchanges.split(",")) if details.validExchanges else (),
        time_zone=_known_zone(details.timeZoneId),
        liquid_hours=details.liquidHours,
    )
