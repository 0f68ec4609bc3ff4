"""A worker alone: its gateway, its Redis and its time are in this process's memory; nothing waits for the machine."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import SecretStr

from broker_worker.bootstrap import BrokerWorker, build, link_config_of
from broker_worker.gateway.outages import Outages
from broker_worker.replaying.loop import MemoryTransport, ReplayClock, ReplayLoop
from broker_worker.replaying.memory import MemoryStore, OwnLease
from broker_worker.settings import WorkerSettings
from shared import clock
from shared.contract import Scope
from shared.contract.status import LinkState
from shared.envelope import Envelope, seal
from shared.queue.job import Job
from shared.redis_keys import Keys
from simulated_gateway import Clock, GatewayConfig, SimulatedGateway
from simulated_gateway.sessions.connection import Sink

BEGAN = datetime(2025, 11, 19, 16, 0, tzinfo=UTC)
SECRET = "a worker alone trusts itself"
SESSION = "main"
LONGEST = 60.0
"""Seconds of the loop's time that no job may take."""

T = TypeVar("T")
Through = Callable[[Sink], Sink]
"""What stands between the gateway and the worker."""


class LoopClock(Clock):
    """The gateway's time, which is the loop's."""

    def __init__(self, loop: ReplayLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class LoneWorker:
    """One worker and its simulated gateway, from ``with`` to its end."""

    def __init__(self, gateway: GatewayConfig | None = None, through: Through | None = None, **settings: Any) -> None:
        self.loop = ReplayLoop()
        self.gateway = SimulatedGateway(gateway or GatewayConfig(market_moves=False), LoopClock(self.loop))
        self._through = through or (lambda sink: sink)
        self._settings = settings
        self._folder = TemporaryDirectory(prefix="lone-worker-")
        self._tasks: list[asyncio.Task[None]] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self.loop.connect = self._connect
        self.crashes: list[str] = []
        self.loop.set_exception_handler(lambda _, what: self.crashes.append(str(what)))

    def __enter__(self) -> Self:
        self.run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.run(self._close())
        finally:
            self.loop.close()
            self._folder.cleanup()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the worker's loop and at the worker's time."""

        async def timed() -> T:
            with clock.by(ReplayClock(BEGAN, self.loop)):
                return await work

        return self.loop.run_until_complete(timed())

    async def _open(self) -> None:
        self.gateway.begin()
        chosen: dict[str, Any] = {
            "gateway_session": SESSION,
            "job_signing_secret": SecretStr(SECRET),
            "state_dir": Path(self._folder.name),
            "duplicate_window_seconds": 0,
        }
        settings = WorkerSettings(**chosen | self._settings)
        store = MemoryStore()
        lease = OwnLease(store, Keys(SESSION))
        await lease.take()
        config = link_config_of(settings, Outages(None, settings.zone))
        quick = replace(config, first_pause=0.05, longest_pause=0.1, ghost_pause=0.05)
        self.worker: BrokerWorker = build(settings, store, quick, lease=lease)
        await self.worker.sent_file.open()
        await self.worker.cache_file.open()
        works = (self.worker.link.run(), self.worker.recorder.keep(), self.worker.quotes.sweep())
        self._tasks = [self.loop.create_task(work) for work in works]

    async def _close(self) -> None:
        ending = [*self._tasks, *self._connections]
        await self.worker.placer.drain(0)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self.gateway.close()
        await self.worker.sent_file.close()
        await self.worker.cache_file.close()
        await self.worker.store.close()
        if self.worker.transcript is not None:
            self.worker.transcript.close()

    async def _connect(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        if not self.gateway.accepts:
            raise ConnectionRefusedError("nothing listens")
        transport = MemoryTransport(self.loop, protocol)
        self.serve(transport.reader, self._through(transport.sink))
        return transport

    def serve(self, reader: asyncio.StreamReader, sink: Sink) -> None:
        """Let the gateway answer a connection until it ends."""
        task = self.loop.create_task(self.gateway.serve(reader, sink))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    @property
    def lives(self) -> bool:
        """Whether every part of the worker that is to run for ever still runs."""
        return not any(task.done() for task in self._tasks)

    async def ready(self, seconds: float = 120) -> None:
        """Wait until the link serves."""
        await self.in_state(LinkState.READY, seconds)

    async def in_state(self, state: LinkState, seconds: float = 120) -> None:
        """Wait until the link is in a state."""
        async with asyncio.timeout(seconds):
            while self.worker.link.state is not state:  # noqa: ASYNC110 - the link tells only its beacon
                await asyncio.sleep(0.05)

    async def ask(self, name: str, *, seconds: float = 20, **arguments: Any) -> dict[str, Any]:
        """A tool's answer: ``{"result": …}`` or ``{"error": …}``."""
        envelope = Envelope(
            v=1,
            session=SESSION,
            operation=name,
            arguments=arguments,
            caller="local",
            scopes=frozenset(Scope),
            deadline_ms=int((clock.now().timestamp() + seconds) * 1000),
            request_id=f"lone-{next(self._numbers)}",
            reply_to="nobody",
        )
        return await self.put(
            *seal(envelope, SECRET.encode()), trades=name.startswith(("place_", "cancel_", "modify_"))
        )

    async def put(self, body: object, signature: object, *, trades: bool) -> dict[str, Any]:
        """The answer to a job as somebody put it."""
        job = Job(f"job-{next(self._numbers)}", body, signature, trades, _nobody_listens)
        async with asyncio.timeout(LONGEST):
            done = await self.worker.run_job(job)
        return dict(json.loads(done.answer))

    def placed(self) -> list[str]:
        """The orderRefs of every new order that reached the gateway."""
        return [entry.order_ref for entry in self.gateway.control.ledger() if entry.kind == "place"]


async def _nobody_listens(_channel: str, _text: str) -> None:
    """Progress goes nowhere."""


def signed(body: str) -> str:
    """The signature of a body that is no envelope anybody could seal."""
    return hmac.new(SECRET.encode(), body.encode(errors="replace"), "sha256").hexdigest()
