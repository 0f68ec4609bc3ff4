"""The audit: one entry for every decision about an order, appended to a stream and never changed.

An entry says who asked for what, what was decided, and by which part of the system.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared import clock, json_text
from shared.redis_keys import Keys
from shared.redis_store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision."""

    by: str
    """``frontend``, ``worker``, ``reconciliation`` or ``operator``."""
    caller: str
    """Who asked: the caller's name, or the person's."""
    operation: str
    request_id: str
    arguments: Mapping[str, Any]
    outcome: str
    """The order's state, or the code of the error."""
    detail: str
    key: str = ""
    """The order's key, where one order is meant."""


class Audit:
    """Writes and reads the stream."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._stream = keys.audit

    async def write(self, decision: Decision) -> None:
        """Append an entry. Raises ``RedisAway``: a decision that cannot be recorded is the caller's to handle."""
        await self._store.append(
            self._stream,
            {
                "at": json_text.time_text(clock.now()),
                "by": decision.by,
                "caller": decision.caller,
                "operation": decision.operation,
                "request_id": decision.request_id,
                "arguments": json_text.dumps(_plain(decision.arguments)),
                "outcome": decision.outcome,
                "detail": decision.detail,
                "key": decision.key,
            },
        )

    async def read(self, *, since: datetime | None, most: int) -> list[dict[str, str]]:
        """The newest entries, oldest first."""
        first = str(int(since.timestamp() * 1000)) if since is not None else "-"
        rows = await self._store.read_back(self._stream, first, "+", most)
        return [fields for _, fields in reversed(rows)]


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as the client sent them: plain JSON values, floats by their digits."""
    return {name: repr(value) if isinstance(value, float) else value for name, value in arguments.items()}
