"""How often a caller may call, through all frontends together: counted in Redis, by Redis's clock."""

from __future__ import annotations

import hashlib
import math
from typing import Final

from mcp_frontend.callers import Caller
from shared.errors import QueueDown, RateLimited
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store

BURST_SECONDS: Final = 10
"""Calls of so long a time may come at once."""

_TAKE: Final = """
-- KEYS when the next call is due  ARGV microseconds between calls, microseconds that may be run ahead of them
-- The time to wait, 0 where the call may be made. One number for each caller (the generic cell rate algorithm).
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + ARGV[1]
if due - now > tonumber(ARGV[2]) then return math.ceil(due - now - ARGV[2]) end
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000))
return 0
"""


class Rates:
    """Counts calls."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._keys = keys
        # Not repeated after a broken connection: one call must not count twice.
        self._take = store.script(_TAKE, repeatable=False)

    async def take(self, caller: Caller) -> None:
        """Count a call; raises ``RateLimited`` where it is one too many, and ``QueueDown`` where nobody can count."""
        if not caller.calls_per_minute:
            return
        between = 60_000_000 // caller.calls_per_minute
        ahead = max(BURST_SECONDS * 1_000_000, between)
        tag = hashlib.sha256(caller.name.encode()).hexdigest()[:16]
        try:
            wait: int = await self._take(keys=[self._keys.rate(tag)], args=[between, ahead])
        except RedisAway as error:
            raise QueueDown("Redis cannot be reached, where this caller's calls are counted") from error
        if wait:
            raise RateLimited(
                f"{caller.name} may make {caller.calls_per_minute} calls a minute",
                retry=f"after {math.ceil(wait / 1_000_000)} s",
            )
