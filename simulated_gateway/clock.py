"""Where the gateway's time comes from, so that a test can stand at 23:59 exchange time."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Time as every part of the simulated gateway sees it."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when that many seconds of this clock have passed."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that starts where it is told and is moved by `advance`.

    With `running` the machine's time passes on top of that; without, time stands still between advances.
    """

    def __init__(self, start: datetime, *, running: bool = False) -> None:
        if start.tzinfo is None:
            message = "a clock starts at an aware time"
            raise ValueError(message)
        self._start = start.astimezone(UTC)
        self._running = running
        self._origin = time.monotonic()
        self._advanced = 0.0
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds since this clock was made, advances included."""
        return self._advanced + (time.monotonic() - self._origin if self._running else 0.0)

    def advance(self, seconds: float) -> None:
        """Move forward; everyone whose sleep ends by then wakes at the next turn of the event loop."""
        if seconds < 0:
            message = "time does not go back"
            raise ValueError(message)
        self._advanced += seconds
        self._moved.set()
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait until this clock has passed that many seconds, by advances or by running."""
        deadline = self.monotonic() + seconds
        await asyncio.sleep(0)
        while (remaining := deadline - self.monotonic()) > 0:
            try:
                await asyncio.wait_for(self._moved.wait(), remaining if self._running else None)
            except TimeoutError:
                continue
