"""What time it is, as everything that answers calls sees it.

It is the machine's own time, but where a recording is replayed: then the recording's time passes, as fast as it can.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of time."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...


class _Machine:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


_MACHINE: Clock = _Machine()
_clock: ContextVar[Clock] = ContextVar("clock", default=_MACHINE)


def now() -> datetime:
    """The time of day, aware, in UTC."""
    return _clock.get().now()


def monotonic() -> float:
    """Seconds since an arbitrary start; never goes back."""
    return _clock.get().monotonic()


@contextmanager
def by(clock: Clock) -> Generator[None]:
    """Inside, time is another clock's, for this task and the tasks it starts."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)
