"""One client's way out: frames in order, late or dropped where a fault says so."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Protocol

from simulated_gateway.clock import Clock
from simulated_gateway.faults import Faults
from simulated_gateway.wire.framing import Message, encode_frame

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where bytes for a client go: a socket, or a pair of in-memory streams."""

    def write(self, data: bytes) -> None:
        """Send soon, in order."""
        ...

    def waiting(self) -> int:
        """Bytes that the client has not taken yet."""
        ...

    def close(self) -> None:
        """Send what is waiting, then end."""
        ...

    def abort(self) -> None:
        """End at once; what is waiting is lost."""
        ...


class SocketSink:
    """A TCP socket's way out."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def write(self, data: bytes) -> None:
        """Send soon, in order."""
        if not self._writer.is_closing():
            self._writer.write(data)

    def waiting(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._writer.transport.get_write_buffer_size()

    def close(self) -> None:
        """Send what is waiting, then end."""
        self._writer.close()

    def abort(self) -> None:
        """End at once; what is waiting is lost."""
        self._writer.transport.abort()


class Connection:
    """Sends messages to one client."""

    def __init__(self, sink: Sink, clock: Clock, faults: Faults, unread_bytes: int, name: str) -> None:
        self._sink = sink
        self._clock = clock
        self._faults = faults
        self._unread_bytes = unread_bytes
        self.name = name
        self.closed = False
        self._late: deque[tuple[float, bytes]] = deque()
        self._courier: asyncio.Task[None] | None = None
        self._corks = 0
        self._corked = bytearray()

    def cork(self) -> None:
        """Keep what is sent from now on until as many `uncork` have followed."""
        self._corks += 1

    def uncork(self) -> None:
        """Let go what was kept."""
        self._corks -= 1
        if not self._corks and self._corked and not self.closed:
            self._pour()

    def _pour(self) -> None:
        frames, self._corked = bytes(self._corked), bytearray()
        self._sink.write(frames)
        if self._sink.waiting() > self._unread_bytes:
            _log.warning("%s does not read its answers: cut off", self.name)
            self.abort()

    def send(self, message: Message) -> None:
        """Send a message, unless a fault has the gateway mute."""
        if self.closed or self._faults.mute:
            return
        frame = encode_frame(message)
        if self._faults.answer_delay or self._late:
            self._late.append((self._clock.monotonic() + self._faults.answer_delay, frame))
            if self._courier is None or self._courier.done():
                self._courier = asyncio.create_task(self._deliver_late(), name=f"late answers of {self.name}")
            return
        self._write(frame)

    def _write(self, frame: bytes) -> None:
        self._corked += frame
        if not self._corks:
            self._pour()

    async def _deliver_late(self) -> None:
        while self._late and not self.closed:
            due, frame = self._late[0]
            remaining = due - self._clock.monotonic()
            if remaining > 0:
                await self._clock.sleep(remaining)
                continue
            self._late.popleft()
            if not self._faults.mute:
                self._write(frame)

    def close(self) -> None:
        """End the connection after what was sent so far."""
        if not self.closed:
            self._sink.write(bytes(self._corked))
            self.closed = True
            self._stop()
            self._sink.close()

    def abort(self) -> None:
        """End the connection at once, as a cut cable does."""
        self.closed = True
        self._stop()
        self._sink.abort()

    def _stop(self) -> None:
        if self._courier is not None:
            self._courier.cancel()
        self._late.clear()
        self._corked.clear()
