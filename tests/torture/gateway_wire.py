"""The simulated gateway as a process of the simulation, and the wire to it: streams that take time and break."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

from simulated_gateway import GatewayConfig, SimulatedGateway

from .simulation import Process, Simulation

_TINY = 1e-7


class SimulatedClock:
    """The gateway's clock: everybody's."""

    def __init__(self, simulation: Simulation, start: datetime) -> None:
        self._simulation = simulation
        self._epoch = start.timestamp() - simulation.now
        self._skew = simulation.skews.get("gateway", 0.0)

    def now(self) -> datetime:
        """The time of day, UTC."""
        return datetime.fromtimestamp(self._epoch + self._simulation.now + self._skew, UTC)

    def monotonic(self) -> float:
        """Seconds since some start."""
        return self._simulation.now

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop that asks."""
        await asyncio.sleep(seconds)


class GatewayHouse:
    """The gateway and every wire that leads to it."""

    def __init__(self, simulation: Simulation, config: GatewayConfig, start: datetime) -> None:
        self.simulation = simulation
        self.process = simulation.process("gateway")
        self.wires: list[Wire] = []
        self.refuses_until = 0.0
        self.stalled_until = 0.0
        """Nothing moves on any wire until then; afterwards it arrives, late and in order."""
        self.serving: set[asyncio.Task[None]] = set()
        self.gateway = SimulatedGateway(config, SimulatedClock(simulation, start))
        self.process.call_soon(self.gateway.begin)

    @property
    def refuses(self) -> bool:
        """Whether its port is closed."""
        return self.refuses_until > self.simulation.now

    async def connect(self, process: Process, factory: Any) -> tuple[Any, Any]:
        """What the worker's ``create_connection`` does."""
        await asyncio.sleep(self.simulation.rng.uniform(0.0001, 0.002))
        while self.stalled_until > self.simulation.now:  # noqa: ASYNC110 - it may be put off meanwhile
            await asyncio.sleep(self.stalled_until - self.simulation.now + 0.001)
        if self.refuses:
            raise ConnectionRefusedError("nothing listens")
        protocol = factory()
        wire = Wire(self, process, protocol)
        self.wires.append(wire)
        protocol.connection_made(wire.near)
        return wire.near, protocol

    def cut(self) -> None:
        """Reset every connection; what is on the wire is lost."""
        for wire in list(self.wires):
            wire.cut()

    def left(self, process: Process, ghost: float) -> None:
        """A process has died: its connections close, or after that many seconds where the machine died with it."""
        for wire in list(self.wires):
            if wire.process is process:
                wire.hang_up(ghost)


class Wire:
    """One connection: a transport at the worker's end, a reader and a sink at the gateway's."""

    def __init__(self, house: GatewayHouse, process: Process, protocol: Any) -> None:
        self.house = house
        self.process = process
        self.protocol = protocol
        self.near = _Near(self)
        self.reader = asyncio.StreamReader(loop=house.process)
        self.broken = False
        self.closed = False
        """By the worker."""
        self._rng = random.Random(house.simulation.rng.random())
        self._there = self._back = 0.0
        serve = house.gateway.serve(self.reader, _Far(self), f"{process.name}")
        task = house.process.create_task(serve)
        house.serving.add(task)
        task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self.house.serving.discard(task)
        if self in self.house.wires:
            self.house.wires.remove(self)

    def _moment(self, last: float) -> float:
        arrival = max(self.house.simulation.now, self.house.stalled_until) + self._rng.uniform(0.0001, 0.002)
        return max(last + _TINY, arrival)

    def send(self, data: bytes) -> None:
        """From the worker."""
        if self.broken or self.closed or not self.process.alive or self.process.closing:
            return
        self._there = self._moment(self._there)
        self.house.process.call_at(self._there, self._arrive, data)

    def _arrive(self, data: bytes) -> None:
        if not self.broken and not self.reader.at_eof():
            self.reader.feed_data(data)

    def answer(self, data: bytes) -> None:
        """From the gateway."""
        if not self.broken and not self.closed and data:
            self._back = self._moment(self._back)
            self.process.call_at(self._back, self._return, data)

    def _return(self, data: bytes) -> None:
        if not self.broken and not self.closed:
            self.protocol.data_received(data)

    def hang_up(self, ghost: float = 0.0) -> None:
        """The worker's end is closed; what it had written still arrives."""
        if not self.closed:
            self.closed = True
            self._there = self._moment(self._there) + ghost
            self.house.process.call_at(self._there, self._end)

    def end(self) -> None:
        """The gateway's end is closed; what it had written still arrives."""
        self._back = self._moment(self._back)
        self.process.call_at(self._back, self._lost, None)

    def cut(self) -> None:
        """Reset."""
        if not self.broken:
            self.broken = True
            self.house.process.call_soon(self._end)
            self.process.call_at(self.house.simulation.now + 0.0005, self._lost, ConnectionResetError("reset by peer"))

    def _end(self) -> None:
        if not self.reader.at_eof():
            self.reader.feed_eof()

    def _lost(self, error: Exception | None) -> None:
        if not self.closed:
            self.closed = True
            self.house.process.call_at(self._moment(self._there), self._end)
            self.protocol.connection_lost(error)


class _Near(asyncio.Transport):
    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def write(self, data: Any) -> None:
        self._wire.send(bytes(data))

    def write_eof(self) -> None:
        """Part of a polite close, which follows."""

    def is_closing(self) -> bool:
        return self._wire.closed

    def close(self) -> None:
        if not self._wire.closed:
            self._wire.hang_up()
            self._wire.process.call_soon(self._wire.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()


class _Far:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def write(self, data: bytes) -> None:
        self._wire.answer(data)

    def waiting(self) -> int:
        return 0

    def close(self) -> None:
        self._wire.end()

    def abort(self) -> None:
        self._wire.cut()
