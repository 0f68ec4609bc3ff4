"""When recorded messages are due: each with the distance in time that it had from the request it answered."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from simulated_gateway.recording.lines import Line

from .index import Index, Recorded

_BATCH = 200

Pace = Literal["request", "session"]
"""Measured from the live request; or from the live session's begin, where the client keeps to the recording's times."""


@dataclass(slots=True)
class _Running:
    """One request's answers, read from the recording as they become due."""

    recorded: Recorded
    live_id: int | None
    asked_at: float
    waiting: deque[tuple[int, float, Line]] = field(default_factory=deque[tuple[int, float, Line]])
    last: int = 0


@dataclass(slots=True, order=True)
class _Due:
    at: float
    number: int
    running: _Running = field(compare=False)


class Stage:
    """The answers under way on one connection, in the sequence in which they are due."""

    def __init__(self, index: Index, *, speed: float, pace: Pace, origin: float) -> None:
        self._index = index
        self._speed = speed
        self._pace = pace
        self._origin = origin
        self._due: list[_Due] = []

    def begin(self, recorded: Recorded, live_id: int | None, now: float) -> None:
        """A live request asks what was recorded: its answers are due from now on."""
        self._put(_Running(recorded, live_id, now))

    def end(self, live_id: int) -> None:
        """The live client takes a request back: nothing more is told about it."""
        self._due = [
            due for due in self._due if due.running.live_id != live_id or due.running.recorded.order_id is not None
        ]
        heapq.heapify(self._due)

    def moment(self, at: float, since: Recorded, asked_at: float) -> float:
        """When something of the recording is due on the live clock."""
        if not self._speed:
            return asked_at
        if self._pace == "session":
            return self._origin + at / self._speed
        return asked_at + max(0.0, at - since.at) / self._speed

    def next_at(self) -> float | None:
        """When the next message is due; None where none is waiting."""
        return self._due[0].at if self._due else None

    def take(self, now: float, tell: Callable[[Line, int | None], None]) -> None:
        """Tell the messages that are due and came in one piece; the others stay for the next turn."""
        piece: tuple[float, float] | None = None
        while self._due and self._due[0].at <= now:
            due = self._due[0]
            number, at, line = due.running.waiting[0]
            if piece is None:
                piece = (at, due.at)
            elif piece != (at, due.at):
                return
            heapq.heappop(self._due)
            due.running.waiting.popleft()
            due.running.last = number
            tell(line, due.running.live_id)
            self._put(due.running)

    def _put(self, running: _Running) -> None:
        if not running.waiting:
            running.waiting.extend(self._index.messages(running.recorded.number, running.last, _BATCH))
        if running.waiting:
            number, at, _ = running.waiting[0]
            due = max(self.moment(at, running.recorded, running.asked_at), running.asked_at)
            heapq.heappush(self._due, _Due(due, number, running))
