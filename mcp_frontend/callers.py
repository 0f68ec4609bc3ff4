"""Who calls, and what the caller may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.contract import Operation, Scope
from shared.errors import NotPermitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An identity with what it may do."""

    name: str
    scopes: frozenset[Scope]
    accounts: frozenset[str] | None = None
    """The accounts it may see and trade; None: all."""
    authenticated: bool = False
    """Whether somebody vouched for it; a live account is served to nobody else."""
    calls_per_minute: int = 0
    """Through all frontends together; 0: as many as it likes."""

    def may_use(self, operation: Operation) -> bool:
        """Whether it has the scope that the tool needs."""
        return operation.marker.effect.scope in self.scopes

    def require(self, operation: Operation) -> None:
        """Return if the caller may use the tool; raises ``NotPermitted``."""
        if not self.may_use(operation):
            needed = operation.marker.effect.scope.value
            raise NotPermitted(f"{operation.name} needs the scope {needed}, which {self.name} does not have")


Identify = Callable[[], Caller]
"""Names the caller of the request now being served."""


def local_caller() -> Caller:
    """Without authentication everybody who can connect is ``local`` and may do everything, on paper."""
    return Caller(name="local", scopes=frozenset(Scope))


def desktop_caller() -> Caller:
    """Over standard input and output: whoever could start this process; the operating system vouches for them."""
    return Caller(name="local", scopes=frozenset(Scope), authenticated=True)
