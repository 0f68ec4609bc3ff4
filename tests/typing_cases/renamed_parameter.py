"""A handler whose parameter has another name: the second type checker refuses it."""

from broker_worker.contracts import ContractDesk
from shared.contract import Call
from shared.contract.answers import Listing
from shared.contract.contracts import ContractCandidate, ContractTools


class Desk(ContractTools):
    async def search_contracts(self, call: Call, wanted: str) -> Listing[ContractCandidate]:
        raise NotImplementedError


def start() -> tuple[ContractTools, type[ContractDesk]]:
    return Desk(), ContractDesk
