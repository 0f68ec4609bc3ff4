"""The ways to Redis, one for the worker and one for the frontends, on which words can be lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from tests.queue.proxy import Proxy, name_of

START_SECONDS = 10.0


class Line:
    """A proxy in front of Redis that runs in a thread of its own, for tests that are not asynchronous."""

    def __init__(self, port: int) -> None:
        self._proxy = Proxy(port)
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._open = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()], daemon=True)
        self._thread.start()
        assert self._open.wait(START_SECONDS)

    @property
    def url(self) -> str:
        """What a process is to take for Redis."""
        return self._proxy.url

    @property
    def lost(self) -> bool:
        """Whether what was to be lost is lost."""
        return self._proxy.lost.is_set()

    def lose_reply_to(self, script: str, *, carrying: bytes = b"", then_cut: bool = False) -> None:
        """Break the connection instead of delivering the reply to the next call of a script."""
        self._do(lambda: self._proxy.lose_reply_to(name_of(script), carrying=carrying, then_cut=then_cut))

    def mend(self) -> None:
        """Let connections through again."""
        self._do(self._proxy.mend)

    def disarm(self) -> None:
        """Lose nothing that was to be lost and has not come yet."""
        self._do(self._proxy.disarm)

    def close(self) -> None:
        """Break every connection, for good."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    def _do(self, change: Callable[[], None]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(change)
        self._loop.call_soon_threadsafe(done.set)
        assert done.wait(START_SECONDS)

    async def _serve(self) -> None:
        async with self._proxy:
            self._open.set()
            await self._over.wait()
