"""An event loop whose time is the recording's: where nothing is left to do, it leaps to the next moment something is.

Nothing in it depends on the machine's speed: threads' work is done at once, and what would be a socket is memory.
Two runs of the same program therefore go the same way, step by step.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, cast


class _LeapingSelector(selectors.SelectSelector):
    """Waits for nothing: it moves the clock by as much as it was to wait."""

    def __init__(self, leap: Callable[[float], None]) -> None:
        super().__init__()
        self._leap = leap

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self._leap(timeout)
        elif not ready and timeout is None:
            raise RuntimeError("the replay waits for something that can never happen")
        return ready


class ReplayLoop(asyncio.SelectorEventLoop):
    """The loop. ``connect`` makes what takes the place of every connection that is opened in it."""

    def __init__(self) -> None:
        self._moment = 0.0
        super().__init__(_LeapingSelector(self._leap))
        self.connect: Callable[[asyncio.Protocol], Awaitable[asyncio.Transport]] | None = None

    def _leap(self, seconds: float) -> None:
        # A little past it, as real clocks are: else what compares times for itself may find that it woke too early.
        self._moment += seconds + 1e-6

    def time(self) -> float:
        """Seconds since the recording began."""
        return self._moment

    async def create_connection(self, protocol_factory: Callable[[], Any], *_: Any, **__: Any) -> Any:
        """Connect to the recording, whatever the address. Raises ``ConnectionRefusedError`` where it is not there."""
        if self.connect is None:
            raise ConnectionRefusedError("no gateway")
        protocol = protocol_factory()
        transport = await self.connect(protocol)
        protocol.connection_made(transport)
        return transport, protocol

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Do the work now: a thread would end at a moment of its own."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class ReplayClock:
    """The time of day in the recording."""

    def __init__(self, began: datetime, loop: ReplayLoop) -> None:
        self._began = began
        self._loop = loop

    def now(self) -> datetime:
        """When it was, in UTC."""
        return self._began + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        """Seconds since the recording began."""
        return self._loop.time()


class MemoryTransport(asyncio.Transport):
    """One end of a connection that is only memory; the other is a reader and a sink."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self.reader = asyncio.StreamReader(limit=1 << 26, loop=loop)
        self.sink = MemorySink(self)
        self._closed = False

    def write(self, data: Any) -> None:
        """Hand bytes to the other end."""
        if not self._closed:
            self.reader.feed_data(bytes(data))

    def write_eof(self) -> None:
        """Say that no more comes."""

    def is_closing(self) -> bool:
        """Whether it is over."""
        return self._closed

    def close(self) -> None:
        """End it for both sides."""
        if not self._closed:
            self._closed = True
            self.reader.feed_eof()
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """End it for both sides."""
        self.close()

    def hand_over(self, data: bytes) -> None:
        """Bytes from the other end."""
        if data and not self._closed:
            self._protocol.data_received(data)


class MemorySink:
    """The other end's way to send."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Send."""
        loop = cast("Any", asyncio.get_running_loop())
        loop.call_soon(self._transport.hand_over, data)

    def waiting(self) -> int:
        """Nothing ever waits."""
        return 0

    def close(self) -> None:
        """End it, after what was sent."""
        asyncio.get_running_loop().call_soon(self._transport.close)

    def abort(self) -> None:
        """End it."""
        self._transport.close()
