"""What the worker did in each minute, for the status page: counted as it happens, and written every few seconds."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable

from broker_worker.gateway.budget import MessageBudget
from shared.history import History, Minute, this_minute
from shared.queue.scripts import CLAIMED
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0

_STEP = 1.15
"""Each bucket reaches so much further than the one before: a latency is told within 15 percent."""
_BUCKETS = 90
"""From a millisecond to more than four minutes."""


class Latencies:
    """How long jobs took, in buckets: as small for a million of them as for one."""

    def __init__(self) -> None:
        self.count = 0
        self._buckets = [0] * _BUCKETS

    def add(self, seconds: float) -> None:
        """Count one."""
        milliseconds = max(seconds * 1000, 1.0)
        self._buckets[min(math.ceil(math.log(milliseconds, _STEP)), _BUCKETS - 1)] += 1
        self.count += 1

    def within_ms(self, share: float) -> int | None:
        """Within how many milliseconds this share of them was done; None where there were none."""
        needed = math.ceil(self.count * share)
        for bucket, count in enumerate(self._buckets):
            needed -= count
            if needed <= 0 < self.count:
                return round(_STEP**bucket)
        return None


class Minutes:
    """Counts, and keeps the last hour in Redis while this worker leads."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        budget: MessageBudget,
        lines: Callable[[], tuple[int, int]],
    ) -> None:
        self._store = store
        self._queue = keys.queue
        self._history = History(store, keys)
        self._budget = budget
        self._lines_now = lines
        self._minute = this_minute()
        self._latencies = Latencies()
        self._depth = self._lines = 0
        self._sent_before = self._sent

    @property
    def _sent(self) -> int:
        return sum(self._budget.sent.values())

    def count(self, seconds: float) -> None:
        """A job is done, and took so long."""
        self._latencies.add(seconds)

    async def keep(self, leads: Callable[[], bool]) -> None:
        """Write the present minute every few seconds, until cancelled."""
        while True:
            if leads():
                try:
                    await self._look()
                except RedisAway as error:
                    log.info("this minute was not written: %s", error)
            await asyncio.sleep(EVERY_SECONDS)

    async def _look(self) -> None:
        if (now := this_minute()) != self._minute:
            self._minute, self._latencies, self._depth, self._lines = now, Latencies(), 0, 0
            self._sent_before = self._sent
        self._depth = max(self._depth, await self._store.count_between(self._queue, 0, CLAIMED))
        lines, lines_limit = self._lines_now()
        self._lines = max(self._lines, lines)
        await self._history.put_minute(
            Minute(
                minute=self._minute,
                queue_depth=self._depth,
                calls=self._latencies.count,
                p50_ms=self._latencies.within_ms(0.5),
                p95_ms=self._latencies.within_ms(0.95),
                messages=self._sent - self._sent_before,
                messages_limit=self._budget.per_second * 60,
                lines=self._lines,
                lines_limit=lines_limit,
            )
        )
