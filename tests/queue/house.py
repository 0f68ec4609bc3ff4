"""Both ends of the queue over a real Valkey: a worker whose handlers the test plays, and clients that ask."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contract import OPERATIONS, Call, Effect, Scope
from shared.envelope import Envelope, error_text, read_answer, unseal
from shared.errors import BridgeError, TimedOut
from shared.queue import scripts
from shared.queue.client import JobClient, QueueLimits
from shared.queue.job import Done, Job
from shared.queue.lanes import Lanes
from shared.queue.lease import Lease
from shared.queue.replies import message
from shared.queue.sharing import share_key
from shared.queue.worker import JobWorker
from shared.redis_keys import Keys
from shared.redis_store import Store

KEYS = Keys("main")
SECRET = b"a secret of the tests"
PATIENCE = 8.0
"""Seconds after which a test that waits has failed; nothing is meant to take so long."""

READ = "get_positions"
TRADE = "cancel_order"
SHARED = "search_contracts"
USUAL: dict[str, dict[str, object]] = {READ: {}, TRADE: {"order_id": 1}, SHARED: {"pattern": "AAPL"}}

_numbers = itertools.count(1)

Play = Callable[[Envelope, Job], Awaitable[None]]


async def until(condition: Callable[[], Awaitable[bool]], limit: float = PATIENCE) -> None:
    """Return when the condition holds; fail when it does not within the limit."""
    async with asyncio.timeout(limit):
        while not await condition():  # noqa: ASYNC110 - Redis sends no word of what is looked at here
            await asyncio.sleep(0.01)


async def at_once(_: Envelope, __: Job) -> None:
    """Answer immediately."""


@dataclass
class Desk:
    """Answers each job with its own question, after ``play``, and remembers what it began."""

    play: Play = at_once
    begun: list[Envelope] = field(default_factory=list)
    ended: list[Envelope] = field(default_factory=list)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, job: Job) -> Done:
        try:
            envelope = unseal(job.body, job.signature, SECRET)
        except BridgeError as error:
            return Done(error_text(error), None)
        self.begun.append(envelope)
        self._moved.set()
        try:
            await self.play(envelope, job)
        except BridgeError as error:
            return Done(error_text(error), envelope.reply_to)
        except asyncio.CancelledError:
            if not job.left():
                raise  # as a process that ends without a word
            return Done(error_text(TimedOut("the caller left")), envelope.reply_to)
        self.ended.append(envelope)
        operation = OPERATIONS[envelope.operation]
        share = share_key(KEYS, operation, envelope.arguments, authenticated=envelope.authenticated)
        answer = f'{{"result":{{"request_id":"{envelope.request_id}"}}}}'
        return Done(answer, envelope.reply_to, share, 60_000 if share else 0)

    async def has_begun(self, count: int) -> None:
        """Return when so many jobs were begun."""
        async with asyncio.timeout(PATIENCE):
            while len(self.begun) < count:
                self._moved.clear()
                await self._moved.wait()

    @property
    def operations(self) -> list[str]:
        return [envelope.operation for envelope in self.begun]


@dataclass
class Held:
    """A way to play in which every job waits until it is let go."""

    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, _: Envelope, __: Job) -> None:
        await self.released.wait()


async def say_two_things(envelope: Envelope, job: Job) -> None:
    """Tell the waiting caller of progress, twice."""
    for text in ("half way", "nearly"):
        await job.progress(envelope.reply_to, message("P", job.id, text))


@dataclass
class Worker:
    """A worker that serves, in this process."""

    store: Store
    lease: Lease
    jobs: JobWorker
    desk: Desk
    tasks: dict[str, asyncio.Task[None]]

    async def stop_serving(self) -> None:
        """As on SIGTERM: no new jobs."""
        self.tasks["serve"].cancel()
        await asyncio.gather(self.tasks["serve"], return_exceptions=True)


@asynccontextmanager
async def working(
    url: str,
    desk: Desk | None = None,
    *,
    name: str = "worker",
    slots: int = 64,
    trade_slots: int = 16,
    of_one_caller: int | None = None,
) -> AsyncIterator[Worker]:
    """A worker until the block ends; it then goes in order, giving its lease back."""
    store = Store.at(url)
    lease = Lease(store, KEYS, name)
    desk = desk or Desk()
    lanes = Lanes(
        slots=slots,
        of_one_caller=of_one_caller or slots,
        trade_slots=trade_slots,
        trades_of_one_caller=of_one_caller or trade_slots,
    )
    jobs = JobWorker(store, KEYS, lease, desk, lanes)
    tasks = {
        "lease": asyncio.create_task(lease.keep()),
        "answers": asyncio.create_task(jobs.answers.keep()),
        "serve": asyncio.create_task(jobs.run()),
    }
    worker = Worker(store, lease, jobs, desk, tasks)
    try:
        yield worker
        for task in tasks.values():
            assert not task.done() or task.cancelled(), task.exception()
    finally:
        await worker.stop_serving()
        await jobs.drain(0.2)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        await store.close()


@asynccontextmanager
async def leading(url: str, desk: Desk | None = None, **options: Any) -> AsyncIterator[Worker]:
    """A worker that already holds the lease."""
    async with working(url, desk, **options) as worker:
        async with asyncio.timeout(PATIENCE):
            await worker.lease.held()
        yield worker


@dataclass
class Asker:
    """One frontend's end of the queue."""

    client: JobClient
    store: Store

    async def ask(
        self, operation: str = READ, *, caller: str = "alice", seconds: float = 10.0, heard: list[str] | None = None,
        arguments: Mapping[str, object] | None = None, authenticated: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """The answer to one question, or the error it ends in."""

        async def note(text: str) -> None:
            if heard is not None:
                heard.append(text)

        call = Call(
            caller=caller,
            scopes=frozenset(Scope),
            request_id=f"request-{next(_numbers)}",
            authenticated=authenticated,
            deadline=datetime.now(UTC) + timedelta(seconds=seconds),
            progress=note,
        )
        text = await self.client.call(OPERATIONS[operation], arguments or USUAL[operation], call)
        return dict(read_answer(text)[1])

    def asks(self, count: int, operation: str = READ, **options: Any) -> list[asyncio.Task[dict[str, Any]]]:
        """So many questions at once."""
        return [asyncio.create_task(self.ask(operation, **options)) for _ in range(count)]

    async def queued(self) -> int:
        """Jobs not claimed yet."""
        return await self.store.count_between(KEYS.queue, 0, scripts.CLAIMED)

    async def claimed(self) -> int:
        """Jobs claimed and not answered yet."""
        return await self.store.count_between(KEYS.queue, scripts.CLAIMED, 2 * scripts.CLAIMED)

    async def has_queued(self, count: int) -> None:
        """Return when so many jobs wait to be claimed."""

        async def so_many() -> bool:
            return await self.queued() == count

        await until(so_many)


@asynccontextmanager
async def asking(url: str, limits: QueueLimits | None = None, *, listen: bool = True) -> AsyncIterator[Asker]:
    """A client until the block ends; with ``listen`` its subscription stands before the block begins."""
    store = Store.at(url)
    client = JobClient(store, KEYS, SECRET, limits)
    listening = asyncio.create_task(client.run()) if listen else None
    try:
        if listen:
            await until(lambda: subscribed(store, client))
        yield Asker(client, store)
    finally:
        if listening is not None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        await client.settle()
        await store.close()


async def subscribed(store: Store, client: JobClient) -> bool:
    """Whether somebody listens on the client's reply channel."""
    return bool(await count_listeners(store, KEYS.replies(client.name)))


_LISTENERS = "return redis.call('PUBSUB', 'NUMSUB', KEYS[1])[2]"


async def count_listeners(store: Store, channel: str) -> int:
    """Who listens on a channel now."""
    return int(await store.script(_LISTENERS)(keys=[channel], args=[]))


def is_trade(envelope: Envelope) -> bool:
    """Whether an order or cancellation was asked for."""
    return OPERATIONS[envelope.operation].marker.effect is Effect.TRADES
