"""Which contract a call means, and the search for contracts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from ib_async import Contract

from broker_worker.gateway.budget import Lane
from broker_worker.gateway.convert import exact
from broker_worker.gateway.link import GatewayLink
from broker_worker.single_flight import SingleFlight
from shared import clock
from shared.contract import Call
from shared.contract.answers import Listing
from shared.contract.arguments import ContractQuery
from shared.contract.contracts import ContractCandidate, ContractTools
from shared.errors import AmbiguousContract, GatewayRefused, InvalidArgument, UnknownContract

if TYPE_CHECKING:
    from ib_async import ContractDescription, ContractDetails

SECONDS = 8.0
KEEP_SECONDS = 6 * 3600.0
"""Contract details change with corporate actions, overnight."""
KEEP_MOST = 2_000

_SMART_TYPES = frozenset({"STK", "OPT", "WAR", "BAG", "CFD", "BOND", "FUND"})
"""Types that SMART can route; the others are looked for at every exchange and used where they are found."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One contract, known for certain."""

    contract: Contract
    """With its con_id and the exchange to use; its currency is that of every price."""
    min_tick: Decimal | None
    size_increment: Decimal | None
    time_zone: str | None
    """The exchange's zone by its IANA name, where the gateway gives one that is known."""
    long_name: str


class ContractBook:
    """Resolves what a call says to exactly one contract, and remembers it."""

    def __init__(self, link: GatewayLink) -> None:
        self._link = link
        self._known: OrderedDict[Hashable, tuple[float, Resolved]] = OrderedDict()
        self._flight = SingleFlight[Hashable, Resolved]()

    async def resolve(self, query: ContractQuery) -> Resolved:
        """The contract that is meant. Raises ``UnknownContract``, or ``AmbiguousContract`` naming the candidates."""
        known = self._known.get(query.identity)
        if known is not None and clock.monotonic() - known[0] < KEEP_SECONDS:
            self._known.move_to_end(query.identity)
            return known[1]
        resolved = await self._flight.do(query.identity, lambda: self._look_up(query))
        self._known[query.identity] = (clock.monotonic(), resolved)
        if len(self._known) > KEEP_MOST:
            self._known.popitem(last=False)
        return resolved

    async def _look_up(self, query: ContractQuery) -> Resolved:
        session = self._link.session
        asked = as_asked(query)
        try:
            found = cast(
                "list[ContractDetails]",
                await session.ask(
                    Lane.QUOTE, SECONDS, lambda request: session.client.reqContractDetails(request, asked)
                ),
            )
        except UnknownContract:
            found = []
        fitting = [details for details in found if details.contract is not None and fits(query, details.contract)]
        if not fitting:
            raise UnknownContract(f"IBKR knows no {describe(query)}" if not found else _contradiction(query, found))
        if len({details.contract.conId for details in fitting if details.contract}) > 1:
            raise AmbiguousContract(f"{describe(query)} could be {_candidates(fitting)}")
        return _resolved(query, fitting[0])


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
    )


def fits(query: ContractQuery, contract: Contract) -> bool:
    """Whether a found contract agrees with all the caller said: a con_id with another symbol is a mistake."""
    said = query.explicit
    return (
        ("symbol" not in said or not query.symbol or contract.symbol == query.symbol)
        and ("currency" not in said or contract.currency == query.currency)
        and ("sec_type" not in said or contract.secType == query.sec_type)
        and (query.primary_exchange is None or contract.primaryExchange in {query.primary_exchange, ""})
    )


def describe(query: ContractQuery) -> str:
    """The query in words."""
    if query.con_id is not None:
        return f"contract with con_id {query.con_id}"
    where = f" on {query.primary_exchange}" if query.primary_exchange else ""
    at = f" at {query.exchange}" if query.exchange != "SMART" else ""
    return f"{query.sec_type} {query.symbol} in {query.currency}{where}{at}"


def name(contract: Contract) -> str:
    """A contract in words, with the con_id that names it."""
    where = contract.primaryExchange or contract.exchange
    when = f" {contract.lastTradeDateOrContractMonth}" if contract.lastTradeDateOrContractMonth else ""
    strike = f" {contract.strike:g}{contract.right}" if contract.strike else ""
    return f"{contract.symbol} {contract.secType}{when}{strike} {where} {contract.currency} (con_id {contract.conId})"


def _candidates(found: list[ContractDetails], most: int = 5) -> str:
    names = list(dict.fromkeys(name(details.contract) for details in found if details.contract))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more


def _contradiction(query: ContractQuery, found: list[ContractDetails]) -> str:
    return f"what was given with it does not fit {describe(query)}, which is {_candidates(found, 1)}"


def _resolved(query: ContractQuery, details: ContractDetails) -> Resolved:
    contract = details.contract
    if contract is None:
        raise UnknownContract(f"IBKR gave no contract for {describe(query)}")
    if "exchange" in query.explicit and query.exchange != "SMART":
        exchange = query.exchange
    else:
        exchange = "SMART" if contract.secType in _SMART_TYPES else contract.exchange
    contract.exchange = exchange
    valid = details.validExchanges.split(",") if details.validExchanges else []
    if valid and exchange not in valid:
        raise InvalidArgument(
            f"{contract.symbol} is not traded at {exchange}", action=f"use one of {', '.join(valid[:12])}"
        )
    return Resolved(
        contract=contract,
        min_tick=exact(details.minTick) or None,
        size_increment=exact(details.sizeIncrement) or None,
        time_zone=details.timeZoneId or None,
        long_name=details.longName,
    )


class ContractDesk(ContractTools):
    """Answers searches."""

    def __init__(self, link: GatewayLink) -> None:
        self._link = link
        self._flight = SingleFlight[str, list["ContractDescription"]]()

    async def search_contracts(self, call: Call, pattern: str) -> Listing[ContractCandidate]:
        """See the contract."""
        found = await self._flight.do(pattern, lambda: self._search(pattern))
        rows = [_candidate(description) for description in found if description.contract]
        return Listing[ContractCandidate].page(rows, cursor=None, as_of=clock.now())

    async def _search(self, pattern: str) -> list[ContractDescription]:
        session = self._link.session
        try:
            found = await session.ask(
                Lane.QUOTE, SECONDS, lambda request: session.client.reqMatchingSymbols(request, pattern)
            )
        except UnknownContract:
            return []
        except GatewayRefused as refused:
            raise InvalidArgument(f"IBKR did not take the pattern: {refused.fact}") from refused
        return cast("list[ContractDescription]", found)


def _candidate(description: ContractDescription) -> ContractCandidate:
    contract = cast("Contract", description.contract)
    return ContractCandidate(
        con_id=contract.conId,
        symbol=contract.symbol,
        description=contract.description or None,
        sec_type=contract.secType,
        primary_exchange=contract.primaryExchange or None,
        currency=contract.currency or None,
        derivative_sec_types=[kind for kind in description.derivativeSecTypes if kind],
    )
