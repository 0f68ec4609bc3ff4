"""A handler that answers something else: both type checkers refuse it."""

from broker_worker.contract_desk import ContractDesk
from shared.contract import Call
from shared.contract.answers import Listing
from shared.contract.arguments import ContractQuery
from shared.contract.contracts import ContractInfo, ContractTools


class Desk(ContractTools):
    async def search_contracts(self, call: Call, pattern: str) -> str:
        raise NotImplementedError

    async def get_contract_details(
        self, call: Call, contract: ContractQuery, cursor: str | None = None
    ) -> Listing[ContractInfo]:
        raise NotImplementedError


def start() -> tuple[ContractTools, type[ContractDesk]]:
    return Desk(), ContractDesk
