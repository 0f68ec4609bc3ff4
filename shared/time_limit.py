"""Time limits for work that is mostly done long before: as ``asyncio.timeout``, for a third of its cost.

Limits that end within the same ``GRAIN`` share one timer, which is never taken back; each can be late by as much.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType

GRAIN = 0.05
"""Seconds by which a limit can be late."""


class TimeLimits:
    """The limits of one event loop's tasks; one for each part that sets many."""

    def __init__(self) -> None:
        self._ending: dict[int, set[Within]] = {}

    def within(self, seconds: float) -> Within:
        """A block that is cancelled, and raises ``TimeoutError``, once it has taken so long."""
        loop = asyncio.get_running_loop()
        grain = math.ceil((loop.time() + seconds) / GRAIN)
        together = self._ending.get(grain)
        if together is None:
            together = self._ending[grain] = set()
            loop.call_at(grain * GRAIN, self._end, grain)
        return Within(together)

    def _end(self, grain: int) -> None:
        for limit in self._ending.pop(grain):
            limit.end()


class Within:
    """One limit, from the block's begin to its end."""

    __slots__ = ("_before", "_ended", "_task", "_together")

    _task: asyncio.Task[object]

    def __init__(self, together: set[Within]) -> None:
        self._together = together
        self._ended = False
        self._before = 0

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - blocks that wait are a task's
        self._task = task
        self._before = task.cancelling()
        self._together.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Raise ``TimeoutError`` where it was this limit that cancelled, and nobody else did."""
        self._together.discard(self)
        if self._ended and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def end(self) -> None:
        """Cancel the block's task."""
        self._ended = True
        self._task.cancel()
