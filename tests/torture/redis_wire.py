"""Redis as a process of the simulation: fakeredis behind connections that take time, break, and lose replies.

What was sent is carried out although its sender has died meanwhile; what breaks in between is carried out or not.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from copy import deepcopy
from typing import Any, cast

from fakeredis import FakeAsyncRedis, FakeServer
from fakeredis.aioredis import AsyncFakeSocket, FakeAsyncRedisConnection, FakeReader, FakeWriter
from redis.exceptions import ConnectionError as ConnectionBroke

from .patches import current_process
from .simulation import Process, Simulation

_BROKEN = object()
_TINY = 1e-7


class RedisHouse:
    """One Redis with its file: everything it has answered is on its disk."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.process = simulation.process("redis")
        self.server = FakeServer()
        self.sockets: list[Socket] = []
        self.down = False
        self.late = 0.0
        """Seconds every command takes longer."""
        self.lose_replies: dict[str, int] = {}
        """How many of the next replies to a process are lost, with their connections."""
        self.lossy = False
        """Whether it has ever forgotten anything."""
        self._copies: list[tuple[float, dict[int, dict[bytes, Any]]]] = []

    def client(self, process: Process) -> FakeAsyncRedis:
        """A client for one process."""
        connection_class = type("Connection", (_Connection,), {"house": self, "process": process})
        return FakeAsyncRedis(server=self.server, connection_class=connection_class)

    def latency(self, rng: random.Random) -> float:
        """One way."""
        return rng.uniform(0.0001, 0.0015) + (rng.uniform(0, self.late) if self.late else 0.0)

    def break_connections(self, who: str | None = None) -> None:
        """Break every connection, or those of one process."""
        for socket in list(self.sockets):
            if who is None or socket.client.name == who:
                socket.break_off()

    def stop(self) -> None:
        """Be killed: the file stays."""
        self.down = True
        self.break_connections()
        self.server.script_cache.clear()

    def start(self) -> None:
        """Be back, with what the file has."""
        self.down = False

    def wipe(self) -> None:
        """Forget everything."""
        self.lossy = True
        with self.server.lock:
            for database in self.server.dbs.values():
                database.clear()

    def roll_back(self, seconds: float) -> None:
        """Forget the last seconds, as a replica does that becomes the master, or a file not flushed in time."""
        self.lossy = True
        moment = self.simulation.now - seconds
        copies = [copy for taken, copy in self._copies if taken <= moment] or [{}]
        with self.server.lock:
            for number, database in self.server.dbs.items():
                database.clear()
                for key, item in copies[-1].get(number, {}).items():
                    database._dict[key] = deepcopy(item)
                    if item.expireat is not None:
                        heapq.heappush(database._expiry_heap, (item.expireat, key))

    def copy_every(self, seconds: float) -> None:
        """Take copies to go back to."""
        with self.server.lock:
            dump = {number: deepcopy(database._dict) for number, database in self.server.dbs.items()}
        self._copies.append((self.simulation.now, dump))
        self.simulation.at(self.simulation.now + seconds, lambda: self.copy_every(seconds))

    def close(self) -> None:
        """Let go of all that was stored: its Lua interpreters hold on to the rest, where no collector looks."""
        self.wipe()
        self._copies.clear()

    def left(self, process: Process) -> None:
        """A process has died: its connections close."""
        for socket in list(self.sockets):
            if socket.client is process:
                socket.hang_up()


class Socket(AsyncFakeSocket):
    """One connection: commands go one way and replies the other, each in its sequence and in its time."""

    def __init__(self, house: RedisHouse, client: Process, *args: Any, **kwargs: Any) -> None:
        super().__init__(house.server, *args, **kwargs)
        self.house = house
        self.client = client
        self.broken = False
        self.heard = False
        """Whether the client knows that it is broken."""
        self._rng = random.Random(house.simulation.rng.random())
        self._arrives = self._returns = 0.0
        self._blocker: asyncio.Task[Any] | None = None
        house.sockets.append(self)

    def sendall(self, data: Any) -> None:
        """Put a command on the wire."""
        if self.heard or self.client.closing:
            raise ConnectionBroke("Connection reset by peer")
        if not self.client.alive:
            return
        house = self.house
        self._arrives = max(self._arrives + _TINY, house.simulation.now + house.latency(self._rng))
        house.process.call_at(self._arrives, self._carry_out, data)

    def _carry_out(self, data: Any) -> None:
        if not self.broken:
            super().sendall(data)

    def put_response(self, msg: Any) -> None:
        """Put a reply on the wire."""
        house = self.house
        if self.broken:
            return
        if (left := house.lose_replies.get(self.client.name, 0)) > 0:
            house.lose_replies[self.client.name] = left - 1
            self.break_off()
            return
        self._returns = max(self._returns + _TINY, house.simulation.now + house.latency(self._rng))
        self.client.call_at(self._returns, self._deliver, msg)

    def _deliver(self, msg: Any) -> None:
        if msg is _BROKEN:
            self.heard = True
        if not self.broken or msg is _BROKEN:
            super().put_response(msg)

    def break_off(self) -> None:
        """The connection is reset; the client hears of it soon."""
        self._end()
        self.client.call_at(self.house.simulation.now + 0.0005, self._deliver, _BROKEN)

    def hang_up(self) -> None:
        """The client has closed it; what it sent before is still carried out."""
        if not self.heard:
            self.heard = True
            self._arrives = max(self._arrives + _TINY, self.house.simulation.now + 0.0005)
            self.house.process.call_at(self._arrives, self._end)

    def _end(self) -> None:
        if self.broken:
            return
        self.broken = True
        self.house.sockets.remove(self)
        if self._blocker is not None:
            self._blocker.cancel()
        self.house.process.call_soon(self._forget)  # not now: it may be in the middle of a command

    def _forget(self) -> None:
        with self.house.server.lock:
            self._cleanup(self.house.server)

    async def _async_blocking(self, *args: Any, **kwargs: Any) -> None:
        self._blocker = asyncio.current_task()
        try:
            await super()._async_blocking(*args, **kwargs)
        finally:
            self._blocker = None


class _Connection(FakeAsyncRedisConnection):
    house: RedisHouse
    process: Process

    async def _connect(self) -> None:
        if self.process.closing:
            raise ConnectionBroke("Connection refused")
        await asyncio.sleep(self.house.latency(self.house.simulation.rng))
        if self.house.down:
            raise ConnectionBroke("Connection refused")
        self._sock = Socket(
            self.house,
            self.process,
            self.db,
            client_class=self._client_class,
            lua_modules=self._lua_modules,
            client_info=self._client_info,
        )
        self._reader = cast("Any", FakeReader(self._sock))
        self._writer = cast("Any", FakeWriter(self._sock))

    async def disconnect(self, nowait: bool = False, **kwargs: Any) -> None:
        """Close; the server notices."""
        socket: Any = self._sock
        if socket is not None and current_process() is self.process and self.process.alive:
            socket.hang_up()
        await super().disconnect(nowait=nowait, **kwargs)

    async def can_read_destructive(self) -> bool:
        """Whether something is there that nobody asked for: here only the news that the connection broke."""
        socket: Any = self._sock
        if socket is None or socket.heard:
            raise ConnectionBroke("Connection reset by peer")
        return False

    async def _read_response(self, **kwargs: Any) -> Any:
        response = await super()._read_response(**kwargs)
        if response is _BROKEN:
            raise ConnectionBroke("Connection reset by peer")
        return response
