"""Progress to a client that asked for it: what the worker says, and a sign of life while it says nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
"""Hosts that count silence as a hang give up long after this."""


class Report(Protocol):
    """Sends one progress notification, or does nothing where the client did not ask."""

    async def __call__(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Send it."""
        ...


class Progress:
    """The progress of one call, each notification with a higher number than the last."""

    def __init__(self, tool: str, report: Report) -> None:
        self._tool = tool
        self._report = report
        self._said = 0
        self._started = time.monotonic()

    async def say(self, text: str) -> None:
        """Tell the client; a client that no longer listens does not end the call."""
        self._said += 1
        try:
            await self._report(float(self._said), None, f"{self._tool}: {text}")
        except Exception as error:
            # Whatever the wire raises, of several libraries: the answer matters more.
            log.debug("progress was not delivered: %s", type(error).__name__)

    @asynccontextmanager
    async def beating(self) -> AsyncGenerator[Progress]:
        """Show a sign of life every few seconds until the block ends."""
        beat = asyncio.create_task(self._beat(), name=f"heartbeat of {self._tool}")
        try:
            yield self
        finally:
            beat.cancel()
            with suppress(asyncio.CancelledError):
                await beat

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self.say(f"still waiting after {time.monotonic() - self._started:.0f} s")
