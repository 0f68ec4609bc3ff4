"""The tools that find contracts and tell about them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from broker_worker.contracts import ContractBook, Listed
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.convert import exact
from broker_worker.gateway.link import GatewayLink
from broker_worker.gateway.requests import Wanted
from broker_worker.gateway.waiting import Patience
from broker_worker.market_data.chains import as_date
from broker_worker.single_flight import SingleFlight
from shared import clock
from shared.contract import Call
from shared.contract.answers import Listing
from shared.contract.arguments import ContractQuery
from shared.contract.contracts import ContractCandidate, ContractInfo, ContractTools, TradingSession
from shared.errors import GatewayRefused, InvalidArgument, UnknownContract

if TYPE_CHECKING:
    from ib_async import Contract, ContractDescription

SECONDS = 8.0
_SESSIONS_SHOWN = 2


class ContractDesk(ContractTools):
    """Answers searches and what is listed of a contract."""

    def __init__(self, link: GatewayLink, contracts: ContractBook) -> None:
        self._link = link
        self._contracts = contracts
        self._flight = SingleFlight[str, list["ContractDescription"]]()

    async def search_contracts(self, call: Call, pattern: str) -> Listing[ContractCandidate]:
        """See the contract."""
        found = await self._flight.do(pattern, Patience.of(call), lambda shared: self._search(pattern, shared))
        rows = [_candidate(description) for description in found if description.contract]
        return Listing[ContractCandidate].page(rows, cursor=None, as_of=clock.now())

    async def get_contract_details(
        self, call: Call, contract: ContractQuery, cursor: str | None = None
    ) -> Listing[ContractInfo]:
        """See the contract."""
        _ = self._link.session  # what is kept is not served while the gateway is away: the hours of today count
        now = clock.now()
        fitting = await self._contracts.all(contract, Patience.of(call))
        ordered = sorted(fitting, key=lambda one: (one.symbol, one.expiry, one.strike or 0, one.right, one.exchange))
        rows = [_info(listed, now) for listed in ordered]
        return Listing[ContractInfo].page(rows, cursor=cursor, as_of=now, note=contract.note)

    async def _search(self, pattern: str, patience: Patience) -> list[ContractDescription]:
        session = self._link.session
        try:
            found = await session.ask(
                Wanted.SYMBOLS,
                Lane.QUOTE,
                SECONDS,
                lambda request: session.client.reqMatchingSymbols(request, pattern),
                patience=patience,
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


def _info(listed: Listed, now: datetime) -> ContractInfo:
    ahead = [session for session in regular_sessions(listed) if session.closes > now]
    return ContractInfo(
        con_id=listed.con_id,
        symbol=listed.symbol,
        local_symbol=listed.local_symbol or None,
        name=listed.long_name or None,
        sec_type=listed.sec_type,
        exchange=listed.exchange,
        primary_exchange=listed.primary_exchange or None,
        currency=listed.currency,
        expiry=as_date(listed.expiry) if listed.expiry else None,
        strike=listed.strike,
        right=listed.right or None,
        multiplier=exact(listed.multiplier),
        trading_class=listed.trading_class or None,
        min_tick=listed.min_tick,
        size_increment=listed.size_increment,
        exchanges=list(listed.valid_exchanges),
        exchange_tz=listed.time_zone,
        regular_sessions=ahead[:_SESSIONS_SHOWN],
    )


def regular_sessions(listed: Listed) -> Iterator[TradingSession]:
    """The regular sessions the gateway told of; none where the exchange's zone is not known.

    Source: TWS API, ``20251119:0930-20251119:1600;20251120:CLOSED``.
    """
    if listed.time_zone is None:
        return
    zone = ZoneInfo(listed.time_zone)
    for part in listed.liquid_hours.split(";"):
        first, _, last = part.partition("-")
        try:
            opens, closes = (datetime.strptime(text, "%Y%m%d:%H%M").replace(tzinfo=zone) for text in (first, last))
        except ValueError:
            continue  # a day that is closed
        yield TradingSession(opens=opens.astimezone(UTC), closes=closes.astimezone(UTC))
