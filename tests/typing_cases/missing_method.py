"""A handler without a method of its area: both type checkers refuse it."""

from broker_worker.contract_desk import ContractDesk
from shared.contract import Call
from shared.contract.answers import Listing
from shared.contract.contracts import ContractCandidate, ContractTools


class Desk(ContractTools):
    async def search_contract(self, call: Call, pattern: str) -> Listing[ContractCandidate]:
        raise NotImplementedError


def start() -> tuple[ContractTools, type[ContractDesk]]:
    return Desk(), ContractDesk
