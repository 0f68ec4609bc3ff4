"""Stands between a client and a gateway, passes every byte on as it comes, and lets a tap listen."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from simulated_gateway.listening import Listener

from .disguise import Disguise
from .lines import Head, Side
from .tap import Tap
from .tape import Tape

_log = logging.getLogger(__name__)

_CHUNK = 1 << 16
_CONNECT_SECONDS = 10.0
_LINGER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the gateway is."""

    host: str
    port: int


class RecordingProxy:
    """Listens for clients, connects each to the gateway, and records both. Use it as an async context manager."""

    def __init__(
        self, upstream: Upstream, tape: Tape, disguise: Disguise, *, orders: bool = True, now: datetime | None = None
    ) -> None:
        self._upstream = upstream
        self._tape = tape
        self._disguise = disguise
        self._head = Head(now or datetime.now(UTC), orders)
        self._links = itertools.count(1)
        self._listener = Listener(self._connect, "recording: link")
        self._clock: Callable[[], float] = lambda: 0.0

    @property
    def masked(self) -> dict[str, int]:
        """How many different accounts, permIds, references and names were replaced."""
        return self._disguise.masked

    @property
    def port(self) -> int:
        """Where it listens, once it is open."""
        return self._listener.port or 0

    async def open(self, host: str, port: int) -> None:
        """Begin to listen and to record.

        Raises:
            OSError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._clock = lambda: loop.time() - began
        await self._listener.open(host, port)
        self._tape.put(self._head.text())
        self._tape.begin()

    async def close(self) -> None:
        """End every connection and write what is waiting."""
        await self._listener.close()
        await self._tape.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tap = Tap(next(self._links), self._tape, self._disguise, self._clock)
        tap.opened()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                far_reader, far_writer = await asyncio.open_connection(self._upstream.host, self._upstream.port)
        except (OSError, TimeoutError) as problem:
            _log.warning("the gateway at %s:%d: %s", self._upstream.host, self._upstream.port, problem)
            tap.closed("gateway")
            writer.transport.abort()
            return
        sides: dict[Side, asyncio.Task[None]] = {
            "client": asyncio.create_task(self._pass_on(tap, "client", reader, far_writer)),
            "gateway": asyncio.create_task(self._pass_on(tap, "gateway", far_reader, writer)),
        }
        by = "recorder"
        broken = True
        try:
            done, _ = await asyncio.wait(sides.values(), return_when=asyncio.FIRST_COMPLETED)
            by = next(side for side, task in sides.items() if task in done)
            broken = any(task.exception() is not None for task in done)
        finally:
            for task in sides.values():
                task.cancel()
            await asyncio.gather(*sides.values(), return_exceptions=True)
            tap.closed(by)
            # A side that broke may have had orders under way: they must not arrive after it is gone.
            await _end([writer, far_writer], at_once=broken)

    async def _pass_on(self, tap: Tap, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Return when the side has ended; raise where it, or the other, broke."""
        writer.transport.set_write_buffer_limits(high=_CHUNK)
        while data := await reader.read(_CHUNK):
            writer.write(data)
            tap.hear(side, data)
            await writer.drain()
            await self._tape.room()


async def _end(writers: list[asyncio.StreamWriter], *, at_once: bool) -> None:
    for writer in writers:
        if at_once:
            writer.transport.abort()
        else:
            writer.close()
    for writer in writers:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await writer.wait_closed()
