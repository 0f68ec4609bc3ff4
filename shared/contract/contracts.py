"""Finding contracts."""

from __future__ import annotations

from abc import abstractmethod

from pydantic import Field

from shared.contract.answers import Item, Listing, Moment, Number
from shared.contract.arguments import ContractQuery, Cursor, Pattern
from shared.contract.call import Call
from shared.contract.operation import Toolset, reads


class ContractCandidate(Item):
    """One contract that fits a search."""

    con_id: int = Field(description="The contract's number; pass it to any tool.")
    symbol: str = Field(description="Symbol at IBKR.")
    description: str | None = Field(description="The company's or contract's name, where the gateway gives it.")
    sec_type: str = Field(description="Security type.")
    primary_exchange: str | None = Field(description="Listing exchange.")
    currency: str | None = Field(description="Currency.")
    derivative_sec_types: list[str] = Field(description="What derives from it: OPT, FUT, WAR, …")


class TradingSession(Item):
    """One stretch of regular trading."""

    opens: Moment = Field(description="UTC.")
    closes: Moment = Field(description="UTC.")


class ContractInfo(Item):
    """What IBKR lists of one contract."""

    con_id: int = Field(description="The contract's number.")
    symbol: str = Field(description="Symbol.")
    local_symbol: str | None = Field(description="The exchange's own symbol.")
    name: str | None = Field(description="Company or product.")
    sec_type: str = Field(description="Security type.")
    exchange: str = Field(description="Exchange.")
    primary_exchange: str | None = Field(description="Listing exchange.")
    currency: str = Field(description="Currency.")
    expiry: str | None = Field(description="Last trading day, yyyy-mm-dd.")
    strike: Number | None = Field(description="Strike.")
    right: str | None = Field(description="C or P.")
    multiplier: Number | None = Field(description="Units in one contract.")
    trading_class: str | None = Field(description="Trading class.")
    min_tick: Number | None = Field(description="Smallest price step.")
    size_increment: Number | None = Field(description="Smallest quantity step.")
    exchanges: list[str] = Field(description="Where it can be traded.")
    exchange_tz: str | None = Field(description="The exchange's time zone.")
    regular_sessions: list[TradingSession] = Field(description="The running or next regular sessions, at most two.")


class ContractTools(Toolset):
    """Finding contracts."""

    toolset = "contracts"

    @abstractmethod
    @reads(share_for=60.0)
    async def search_contracts(self, call: Call, pattern: Pattern) -> Listing[ContractCandidate]:
        """Contracts whose symbol or company name begins with the pattern, with the con_id that names each."""

    @abstractmethod
    @reads(share_for=60.0)
    async def get_contract_details(
        self, call: Call, contract: ContractQuery, cursor: Cursor | None = None
    ) -> Listing[ContractInfo]:
        """Every contract that fits, with tick, multiplier, exchanges and trading hours.

        For futures and options, what is left out (expiry, strike, right) lists all there are.
        """
