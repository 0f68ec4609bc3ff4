"""The gateway's message budget: so many a second for everybody together, the urgent ones first.

Past its limit the gateway closes the socket (error 100). Its rolling second is kept here with a margin for messages
that arrive closer together than they were sent; cancels and orders have a reserve that the other lanes cannot use.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Mapping
from enum import IntEnum

WINDOW = 1.1
"""Seconds in which no more than the budget is sent."""


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
        self.per_second = per_second
        self._limits = {lane: per_second if lane <= Lane.ORDER else per_second - reserve for lane in Lane}
        self._under_way = 0
        """Granted to whoever has not run since: on a busy loop that takes a while, and only then is it sent."""
        self._sent: deque[float] = deque()
        self._waiting: list[tuple[Lane, int, asyncio.Future[None]]] = []
        self._history_gap = WINDOW / self._limits[Lane.HISTORY]
        """Between two of the lowest lane, so that a flood of it is never a burst just before an order."""
        self._next_history = 0.0
        self._waiting_in = dict.fromkeys(Lane, 0)
        self.sent = dict.fromkeys(Lane, 0)
        """Messages granted since the start, by lane."""
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> Mapping[Lane, int]:
        """Messages that wait for their turn, by lane."""
        return self._waiting_in

    def expected(self, lane: Lane) -> tuple[int, float]:
        """How many messages would go before one of this lane now, and in how many seconds its turn would come.

        What a higher lane may ask for meanwhile is not known, so it can be later, and is seldom earlier.
        """
        ahead = sum(count for other, count in self._waiting_in.items() if other <= lane)
        now = asyncio.get_running_loop().time()
        sent = [moment for moment in self._sent if now - moment < WINDOW]
        too_many = len(sent) + self._under_way + ahead + 1 - self._limits[lane]
        if too_many <= 0:
            return ahead, 0.0
        windows, rest = divmod(too_many, self._limits[lane])
        leaves = sent[min(rest, len(sent)) - 1] + WINDOW - now if sent and rest else 0.0
        return ahead, windows * WINDOW + leaves

    async def acquire(self, lane: Lane) -> None:
        """Return when one message of this lane may be sent, at once where there is room; the caller sends it now."""
        loop = asyncio.get_running_loop()
        granted = loop.create_future()
        heapq.heappush(self._waiting, (lane, next(self._order), granted))
        self._waiting_in[lane] += 1
        granted.add_done_callback(lambda _: self._left(lane))
        self._grant()
        try:
            await granted
        finally:
            if granted.done() and not granted.cancelled():
                self._under_way -= 1
                self.sent[lane] += 1
                self._sent.append(loop.time())
                if self._waiting and self._timer is None:
                    self._grant()

    def _left(self, lane: Lane) -> None:
        self._waiting_in[lane] -= 1

    def _grant(self) -> None:
        """Grant what fits now, and come back when the oldest message has left the window."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._sent and now - self._sent[0] >= WINDOW:
            self._sent.popleft()
        while self._waiting:
            lane, _, granted = self._waiting[0]
            full = len(self._sent) + self._under_way >= self._limits[lane]
            too_soon = lane is Lane.HISTORY and now < self._next_history
            if not granted.done() and (full or too_soon):
                break
            heapq.heappop(self._waiting)
            if not granted.done():
                if lane is Lane.HISTORY:
                    self._next_history = now + self._history_gap
                self._under_way += 1
                granted.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            room = len(self._sent) + self._under_way < self._limits[self._waiting[0][0]]
            if room:
                self._timer = loop.call_at(self._next_history, self._grant)
            elif self._sent:
                self._timer = loop.call_at(self._sent[0] + WINDOW, self._grant)
