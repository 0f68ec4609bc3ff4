"""Finding contracts."""

from __future__ import annotations

from abc import abstractmethod

from pydantic import Field

from shared.contract.answers import Item, Listing
from shared.contract.arguments import Pattern
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


class ContractTools(Toolset):
    """Finding contracts."""

    toolset = "contracts"

    @abstractmethod
    @reads(share_for=60.0)
    async def search_contracts(self, call: Call, pattern: Pattern) -> Listing[ContractCandidate]:
        """Contracts whose symbol or company name begins with the pattern, with the con_id that names each."""
