"""The listening socket, which can be shut and opened again at the same port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from simulated_gateway.clock import Clock

Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


class Door:
    """Listens at one port; shut, the machine refuses connections there."""

    def __init__(self, accept: Accept, clock: Clock) -> None:
        self._accept = accept
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._reopening: asyncio.Task[None] | None = None
        self._host = ""
        self.port = 0
        #: Whether connections are accepted; whoever brings clients on streams of their own asks first.
        self.is_open = False

    async def open(self, host: str, port: int) -> None:
        """Listen for the first time; port 0 lets the machine choose.

        Raises:
            OSError: the port is taken.
        """
        self._host, self.port = host, port
        await self._listen()

    def open_without_socket(self) -> None:
        """Accept clients that come on streams of their own."""
        self.is_open = True

    async def _listen(self) -> None:
        if self._host:
            self._server = await asyncio.start_server(self._accept, self._host, self.port)
            self.port = self._server.sockets[0].getsockname()[1]
        self.is_open = True

    def shut(self, seconds: float | None = None) -> None:
        """Refuse connections from now on, for ever or for a time. Those that are open stay."""
        self._stop_reopening()
        self.is_open = False
        if self._server is not None:
            self._server.close()
            self._server = None
        if seconds is not None:
            self._reopening = asyncio.create_task(
                self._reopen_at(self._clock.monotonic() + seconds), name="simulated gateway: door"
            )

    async def reopen(self) -> None:
        """Accept connections again."""
        self._stop_reopening()
        if not self.is_open:
            await self._listen()

    async def _reopen_at(self, moment: float) -> None:
        await self._clock.sleep(max(0.0, moment - self._clock.monotonic()))
        if not self.is_open:
            await self._listen()

    def _stop_reopening(self) -> None:
        if self._reopening is not None and self._reopening is not asyncio.current_task():
            self._reopening.cancel()
        self._reopening = None

    async def close(self) -> None:
        """Stop listening for good."""
        waiting = self._reopening
        self.shut()
        if waiting is not None:
            await asyncio.gather(waiting, return_exceptions=True)
