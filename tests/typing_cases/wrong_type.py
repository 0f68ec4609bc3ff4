"""A handler whose parameter has another type: both type checkers refuse it."""

from broker_worker.contracts import ContractDesk
from shared.contract import Call
from shared.contract.answers import Listing
from shared.contract.contracts import ContractCandidate, ContractTools


class Desk(ContractTools):
    async def search_contracts(self, call: Call, pattern: int) -> Listing[ContractCandidate]:
        raise NotImplementedError


def start() -> tuple[ContractTools, type[ContractDesk]]:
    return Desk(), ContractDesk
