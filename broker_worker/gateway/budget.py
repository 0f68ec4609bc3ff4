"""The gateway's message budget: so many a second for everybody together, the urgent ones first.

Past its limit the gateway closes the socket (error 100). Its rolling second is kept here exactly; cancels and orders
have a reserve that the other lanes cannot use.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from enum import IntEnum


class Lane(IntEnum):
    """Who goes first when the budget is short."""

    CANCEL = 0
    ORDER = 1
    ACCOUNT = 2
    QUOTE = 3
    HISTORY = 4


class MessageBudget:
    """Grants one message at a time; a lower lane waits while a higher one waits."""

    def __init__(self, per_second: int = 45, reserve: int = 5) -> None:
        if not 0 <= reserve < per_second:
            raise ValueError("the reserve must be smaller than the budget")
        self._limits = {lane: per_second if lane <= Lane.ORDER else per_second - reserve for lane in Lane}
        self._granted: deque[float] = deque()
        self._waiting: list[tuple[Lane, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, lane: Lane) -> None:
        """Return when one message of this lane may be sent, at once where there is room."""
        loop = asyncio.get_running_loop()
        granted = loop.create_future()
        heapq.heappush(self._waiting, (lane, next(self._order), granted))
        self._grant()
        await granted

    def _grant(self) -> None:
        """Grant what fits now, and come back when the oldest grant is a second old."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._granted and now - self._granted[0] >= 1.0:
            self._granted.popleft()
        while self._waiting:
            lane, _, granted = self._waiting[0]
            if not granted.done() and len(self._granted) >= self._limits[lane]:
                break
            heapq.heappop(self._waiting)
            if not granted.done():
                self._granted.append(now)
                granted.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and self._granted:
            self._timer = loop.call_at(self._granted[0] + 1.0, self._grant)
