"""A worker alone, its gateway, and the recorder between them, all on the loop's time: the same bytes every time."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from broker_worker.replaying.loop import MemoryTransport
from shared.contract import OPERATIONS
from shared.masking import Pseudonyms
from simulated_gateway import Control, GatewayConfig
from simulated_gateway.recording.disguise import Disguise
from simulated_gateway.recording.lines import Head
from simulated_gateway.recording.tap import Tap
from simulated_gateway.recording.tape import Tape
from simulated_gateway.sessions.connection import Sink
from tests.fuzz.lone_worker import BEGAN, LoneWorker

_TO_READ = 0.1
"""Seconds that an agent needs to read an answer, before it, or the world, does the next thing."""

SALT = "the corpus masks the same every time"


class Stage(LoneWorker):
    """Where a scenario is played. What is said goes to two files, as a user's recorder and worker write them."""

    def __init__(self, gateway: GatewayConfig, recording: Path, transcript: Path, **settings: Any) -> None:
        super().__init__(gateway, transcript_file=transcript, recording_salt=SecretStr(SALT), **settings)
        self._tape = Tape(recording)
        self._disguise = Disguise(Pseudonyms(SALT.encode()))
        self._links = itertools.count(1)
        self.control = Levers(self.gateway.control)
        # How long the link pauses before it connects again is drawn.
        random.seed(0)

    async def ask(self, name: str, *, seconds: float = 0, **arguments: Any) -> dict[str, Any]:
        """A tool's answer within the tool's own time, and a moment to read it."""
        answer = await super().ask(name, seconds=seconds or OPERATIONS[name].marker.time_limit, **arguments)
        await asyncio.sleep(_TO_READ)
        return answer

    async def call(self, name: str, **arguments: Any) -> Any:
        """A tool's result; fails where the answer is an error."""
        answer = await self.ask(name, **arguments)
        assert "result" in answer, answer
        return answer["result"]

    async def refused(self, name: str, code: str, **arguments: Any) -> None:
        """A call that must end in this error."""
        answer = await self.ask(name, **arguments)
        assert answer.get("error", {}).get("code") == code, answer

    async def _open(self) -> None:
        self._tape.put(Head(BEGAN).text())
        await super()._open()

    async def _close(self) -> None:
        await super()._close()
        await self._tape.close()

    async def _connect(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """A connection by way of the recorder, which hangs up where it cannot reach the gateway itself."""
        tap = Tap(next(self._links), self._tape, self._disguise, self.loop.time)
        tap.opened()
        transport = _TappedTransport(self.loop, protocol, tap)
        if self.gateway.accepts:
            self.serve(transport.reader, _TappedSink(transport, tap))
        else:
            transport.end("gateway")
        return transport


class _TappedTransport(MemoryTransport):
    """The worker's end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, tap: Tap) -> None:
        super().__init__(loop, protocol)
        self._tap = tap

    def write(self, data: Any) -> None:
        if not self.is_closing():
            self._tap.hear("client", bytes(data))
        super().write(data)

    def end(self, by: str) -> None:
        """One side, or the recorder, has ended it."""
        if not self.is_closing():
            self._tap.closed(by)
        super().close()

    def close(self) -> None:
        self.end("client")


class _TappedSink(Sink):
    """The gateway's end."""

    def __init__(self, transport: _TappedTransport, tap: Tap) -> None:
        self._transport = transport
        self._tap = tap

        self._data = bytearray()

    def write(self, data: bytes) -> None:
        """Send; what is written in one turn of the loop arrives in one piece, as on a socket."""
        if not self._data:
            asyncio.get_running_loop().call_soon(self._deliver)
        self._data += data

    def _deliver(self) -> None:
        data, self._data = bytes(self._data), bytearray()
        if data and not self._transport.is_closing():
            self._tap.hear("gateway", data)
            self._transport.hand_over(data)

    def waiting(self) -> int:
        return len(self._data)

    def close(self) -> None:
        asyncio.get_running_loop().call_soon(self._transport.end, "gateway")

    def abort(self) -> None:
        self._transport.end("gateway")


class Levers:
    """The gateway's levers, which remembers the ones that were pulled."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.pulled: set[str] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        self.pulled.add(name)
        lever: Callable[..., Any] = getattr(self._control, name)
        return lever
