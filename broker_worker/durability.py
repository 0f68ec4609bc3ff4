"""Whether the Redis in use keeps what it was told, as far as it says.

The records of orders and the audit are as durable as Redis. What may have been sent is in the worker's own file too, so
that a Redis that forgets never leads to a second order; but it forgets who asked for what.
"""

from __future__ import annotations

import asyncio
import logging

from shared.contract.status import Durability
from shared.redis_store import RedisAway, Store

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""Between two looks: a Redis may come back from a restart with another configuration."""


class DurabilityWatch:
    """Looks at Redis's configuration, says when it changes, and why live orders are refused by it."""

    def __init__(self, store: Store, *, required: bool) -> None:
        self._store = store
        self._required = required
        self._said: str | None = None
        self.state = Durability.UNKNOWN

    async def keep(self) -> None:
        """Look every now and then, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look now; while Redis is away what was seen last stands."""
        try:
            seen = await self._store.config("append*"), await self._store.config("maxmemory*")
        except RedisAway:
            return
        self.state, why = _judged(*seen)
        if why != self._said:
            self._said = why
            log.log(logging.INFO if self.state is Durability.DURABLE else logging.WARNING, "Redis: %s", why)

    def refusal(self) -> str | None:
        """Why no order is placed through this Redis; None where orders may be."""
        return self._said if self._required and self.state is Durability.FORGETS else None


def _judged(append: dict[str, str] | None, memory: dict[str, str] | None) -> tuple[Durability, str]:
    """What the configuration means, and that in words; None is one that Redis does not show."""
    if append is None or "appendonly" not in append:
        return (
            Durability.UNKNOWN,
            "it does not show its configuration; see to it that it writes to disk before it answers",
        )
    if append["appendonly"] != "yes":
        return Durability.FORGETS, "it keeps no append-only file (appendonly no) and forgets orders when it restarts"
    policy = (memory or {}).get("maxmemory-policy", "noeviction")
    if (memory or {}).get("maxmemory", "0") != "0" and policy != "noeviction":
        return Durability.FORGETS, f"it may evict records of orders when its memory is full (maxmemory-policy {policy})"
    if append.get("appendfsync") != "always":
        word = append.get("appendfsync")
        return Durability.LOSES_LAST, f"it may lose its last words in a crash (appendfsync {word}, not always)"
    return Durability.DURABLE, "every record is on its disk before it answers"
