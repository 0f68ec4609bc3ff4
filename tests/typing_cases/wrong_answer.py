"""A handler that answers something else: both type checkers refuse it."""

from broker_worker.contracts import ContractDesk
from shared.contract import Call
from shared.contract.contracts import ContractTools


class Desk(ContractTools):
    async def search_contracts(self, call: Call, pattern: str) -> str:
        raise NotImplementedError


def start() -> tuple[ContractTools, type[ContractDesk]]:
    return Desk(), ContractDesk
