"""What a handler may know about the call it serves."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared import clock


class Scope(StrEnum):
    """What a caller may do. ``trade`` and ``preview`` do not imply ``read``; a key names each it has."""

    READ = "read"
    PREVIEW = "preview"
    TRADE = "trade"


def new_request_id() -> str:
    """One that no other call has."""
    return secrets.token_hex(16)


async def _nobody_listens(message: str) -> None:
    """Progress goes nowhere where no client asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One tool call, as every method of the contract receives it first."""

    caller: str
    """The name of the API key or identity that asks; ``local`` where none is configured."""
    scopes: frozenset[Scope]
    accounts: frozenset[str] | None = None
    """The accounts the caller may see and trade; None: all that the gateway has."""
    authenticated: bool = False
    """Whether somebody vouched for the caller: an API key, an identity provider, or the operating system."""
    request_id: str
    """One id from the HTTP request to the gateway message, in every log line."""
    deadline: datetime
    """Aware UTC; past it nobody waits for the answer and an order is no longer sent."""
    progress: Callable[[str], Awaitable[None]] = field(default=_nobody_listens)
    """Tell the waiting client, in one short sentence, what the call is waiting for."""

    def may_see(self, account: str | None) -> bool:
        """Whether the caller may see and trade an account; one that is not known belongs to nobody.

        A live account, whose number does not begin with D, is shown to nobody for whom nobody vouches.
        """
        if account is not None and not self.authenticated and not account.startswith("D"):
            return False
        return self.accounts is None or account in self.accounts

    def seconds_left(self) -> float:
        """Time until the deadline; negative once it has passed."""
        return (self.deadline - clock.now()).total_seconds()
