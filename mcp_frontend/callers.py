"""Who calls, and what the caller may do: the one place where authentication plugs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.contract import Operation, Scope
from shared.errors import NotPermitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An identity with its scopes."""

    name: str
    scopes: frozenset[Scope]

    def require(self, operation: Operation) -> None:
        """Return if the caller may use the tool; raises ``NotPermitted``."""
        needed = operation.marker.effect.scope
        if needed not in self.scopes:
            raise NotPermitted(f"{operation.name} needs the scope {needed.value}, which {self.name} does not have")


Identify = Callable[[], Caller]
"""Names the caller of the request now being served."""


def local_caller() -> Caller:
    """Without authentication everybody who can connect is ``local`` and may do everything."""
    return Caller(name="local", scopes=frozenset(Scope))
