"""The simulated gateway as one object: its socket, its beat, its control, and their ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from types import TracebackType
from typing import Self

from simulated_gateway.brokerage import Brokerage
from simulated_gateway.clock import Clock, SystemClock
from simulated_gateway.config import GatewayConfig
from simulated_gateway.control import Control
from simulated_gateway.control_http import ControlServer
from simulated_gateway.door import Door
from simulated_gateway.sessions.connection import Sink, SocketSink
from simulated_gateway.sessions.reception import receive

_log = logging.getLogger(__name__)


class SimulatedGateway:
    """A stand-in for IB Gateway.

    Use it as an async context manager::

        async with SimulatedGateway(GatewayConfig(accounts=("DU1234567",))) as gateway:
            await ib.connectAsync("127.0.0.1", gateway.port, clientId=1)
            gateway.control.move_price(265598, Decimal("200"))
    """

    def __init__(self, config: GatewayConfig | None = None, clock: Clock | None = None) -> None:
        self.config = config or GatewayConfig()
        self.clock = clock or SystemClock()
        self.brokerage = Brokerage(self.config, self.clock)
        self._door = Door(self._accept, self.clock)
        self.control = Control(self.brokerage, self._door)
        self._control_server = ControlServer(self.control, self.config.host)
        self._tasks: set[asyncio.Task[None]] = set()
        self._beat: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where it listens, once it is open."""
        return self._door.port

    @property
    def accepts(self) -> bool:
        """Whether it takes connections now; who hands it streams instead asks this first."""
        return self._door.is_open

    @property
    def control_port(self) -> int | None:
        """Where the control port listens, None where there is none."""
        return self._control_server.port

    async def open(self) -> None:
        """Begin to listen and to live.

        Raises:
            OSError: a port is taken.
        """
        await self._door.open(self.config.host, self.config.port)
        if self.config.control_port is not None:
            await self._control_server.open(self.config.control_port)
        self.begin()

    def begin(self) -> None:
        """Begin to live without listening, for clients on streams that are handed to `serve`."""
        self._door.open_without_socket()
        self._beat = asyncio.create_task(self._keep_beating(), name="simulated gateway: beat")

    async def close(self) -> None:
        """Stop listening, end every connection, wait for everything that runs."""
        await self._door.close()
        await self._control_server.close()
        if self._beat is not None:
            self._beat.cancel()
        for connection in list(self.brokerage.connections):
            connection.close()
        for task in self._tasks:
            task.cancel()
        waiting = [*self._tasks, *([self._beat] if self._beat else [])]
        await asyncio.gather(*waiting, return_exceptions=True)
        self.brokerage.save()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def serve(self, reader: asyncio.StreamReader, sink: Sink, name: str = "stream") -> None:
        """Serve one client on a pair of streams until either side ends."""
        await receive(self.brokerage, reader, sink, name)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve_socket(reader, writer), name="simulated gateway: connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_socket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = writer.get_extra_info("peername")[:2]
        try:
            await receive(self.brokerage, reader, SocketSink(writer), f"{host}:{port}")
        except asyncio.CancelledError:
            # A client that does not read would hold up the gateway's end.
            writer.transport.abort()
            raise
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _keep_beating(self) -> None:
        while True:
            await self.clock.sleep(self.config.beat_seconds)
            try:
                self.brokerage.beat()
            except Exception:
                _log.exception("a beat failed")
