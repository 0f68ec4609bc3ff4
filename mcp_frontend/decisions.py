"""What the frontend itself decides about orders, for the audit: the worker's own decisions it leaves to the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.audit import Audit, Decision
from shared.contract import Operation
from shared.order_records import order_key

UNSAID_SECONDS: Final = 60.0
"""How long a worker that may have the job has to say what became of it: its deadline, and the time to drain."""


@dataclass(frozen=True, slots=True)
class OrderCall:
    """One call of a tool that trades, as far as the audit is concerned."""

    audit: Audit
    operation: Operation
    caller: str
    request_id: str
    arguments: Mapping[str, Any]

    def named(self, arguments: Mapping[str, Any]) -> OrderCall:
        """The same with the arguments that are sent, which name the order."""
        return replace(self, arguments=arguments)

    async def decided(self, outcome: str, why: str) -> None:
        """This process decided: no worker has or will have the call."""
        await self.audit.note(self._decision(outcome, why))

    def left_to_the_worker(self, why: str) -> None:
        """A worker may have the call. Where it says nothing about it, this is all that is known."""
        self.audit.later(self._decision("UNKNOWN", f"{why}; no worker has said what became of it"), UNSAID_SECONDS)

    def _decision(self, outcome: str, why: str) -> Decision:
        name = self.arguments.get("client_order_id")
        return Decision(
            by="frontend",
            caller=self.caller,
            operation=self.operation.name,
            request_id=self.request_id,
            arguments=self.arguments,
            outcome=outcome,
            detail=why,
            key=order_key(self.caller, name) if isinstance(name, str) and name.isprintable() else "",
        )
