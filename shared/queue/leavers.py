"""Word of callers that left: what still runs for them at the worker is stopped, where nothing but an answer is lost."""

from __future__ import annotations

from collections.abc import Callable

from shared.redis_keys import Keys
from shared.redis_store import Store


class Leavers:
    """One channel, from every frontend to the worker. Word that is lost costs the gateway some work, no more."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._channel = keys.leavers

    async def tell(self, job_id: str) -> None:
        """Nobody waits for this job's answer any more; raises ``RedisAway``."""
        await self._store.publish(self._channel, job_id)

    async def hear(self, leave: Callable[[str], None]) -> None:
        """Pass on what is told until cancelled; raises ``RedisAway``."""
        async for job_id in self._store.messages(self._channel):
            leave(job_id)
