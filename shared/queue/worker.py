"""The worker's end of the queue: claim jobs in batches when woken, run each once, store and announce the answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from shared.queue import arq_seam, scripts
from shared.queue.lease import Lease
from shared.queue.replies import message
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store

log = logging.getLogger(__name__)

MARK_MS = 60_000
"""How long arq's in-progress mark stands; a new lease holder clears it at once."""
KEEP_RESULT_MS = 120_000
"""How long an answer stays for whoever asks by request id."""
_PAUSE_SECONDS = 0.2
"""Before Redis is tried again after it went away."""
_BLOCK_SECONDS = 2
"""Longest single wait on the wake list."""


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed job, as somebody put it into Redis: nothing of it is trusted yet."""

    id: str
    body: object
    signature: object
    trades: bool
    """Which lane it came in by; what it may do is decided from the envelope alone."""
    progress: Callable[[str, str], Awaitable[None]]
    """Publish a text on a frontend's reply channel."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job: the answer's text, and the frontend that waits for it, if that is known."""

    answer: str
    reply_to: str | None
    share_key: str = ""
    """Where others may find the answer while it stays true; empty: nowhere."""
    share_ms: int = 0


class RunJob(Protocol):
    """Runs one job to its answer. It never raises: a refusal is an answer too."""

    async def __call__(self, job: Job) -> Done:
        """Run it."""
        ...


@dataclass(slots=True)
class _Lane:
    minimum: int
    maximum: int
    slots: int
    running: int = 0


class JobWorker:
    """Claims and runs jobs while it holds the lease. One for each worker process."""

    def __init__(
        self, store: Store, keys: Keys, lease: Lease, run_job: RunJob, *, slots: int = 64, trade_slots: int = 16
    ) -> None:
        self._store = store
        self._keys = keys
        self._lease = lease
        self._run_job = run_job
        self._trade_lane = _Lane(0, scripts.LANE_BOUNDARY, trade_slots)
        self._query_lane = _Lane(scripts.LANE_BOUNDARY, scripts.CLAIMED, slots)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._finished: list[tuple[str | bytes | int, ...]] = []
        self._look = asyncio.Event()
        self._flush = asyncio.Event()
        self._claim = store.script(scripts.CLAIM)
        self._finish = store.script(scripts.FINISH)
        self._poller = arq_seam.PollingWorker(store.pool, keys.queue, self._look.set)

    async def run(self) -> None:
        """Serve until cancelled. What is running then goes on; ``drain`` waits for it."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._wait_for_wake())
            tasks.create_task(self._claim_when_due())
            tasks.create_task(self._poller.poll_forever(self._guard))

    async def store_answers(self) -> None:
        """Write finished answers to Redis until cancelled; runs beside ``run`` and outlives it while draining."""
        while True:
            await self._flush.wait()
            self._flush.clear()
            batch, self._finished = self._finished, []
            while batch and not await self._stored(batch):  # noqa: ASYNC110 - Redis sends no word of its return
                await asyncio.sleep(_PAUSE_SECONDS)

    async def drain(self, seconds: float) -> int:
        """Wait for what is running, at most so long; the number of jobs that were still running then."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=seconds)
        left = list(self._running.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if self._finished:
            await self._stored(self._finished)
        return len(left)

    async def _guard(self, work: Awaitable[None]) -> None:
        """Do a piece of work with Redis; if Redis is away, say so and pause."""
        try:
            await work
        except RedisAway as error:
            log.warning("Redis is away, trying again: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)
            self._look.set()

    async def _wait_for_wake(self) -> None:
        async def once() -> None:
            if await self._store.pop_blocking(self._keys.wake, _BLOCK_SECONDS):
                self._look.set()

        while True:
            await self._guard(once())

    async def _claim_when_due(self) -> None:
        while True:
            await self._look.wait()
            self._look.clear()
            await self._lease.held()
            await self._guard(self._claim_batch())

    async def _claim_batch(self) -> None:
        lanes = (self._trade_lane, self._query_lane)
        wanted: list[int] = []
        for lane in lanes:
            wanted += [lane.minimum, lane.maximum, lane.slots - lane.running]
        claimed = await self._claim(
            keys=[self._keys.queue, self._keys.wake, self._keys.lease, self._keys.callers],
            args=[self._lease.holder, MARK_MS, *wanted],
        )
        if claimed is None:
            log.info("the lease went elsewhere; nothing is claimed")
            await asyncio.sleep(_PAUSE_SECONDS)
            self._look.set()
            return
        for job_id, payload, score in zip(claimed[::3], claimed[1::3], claimed[2::3], strict=True):
            self._begin(job_id.decode(), payload, trades=float(score) < scripts.LANE_BOUNDARY)

    def _begin(self, job_id: str, payload: bytes, *, trades: bool) -> None:
        if job_id in self._running:
            return  # our own lease lapsed for a moment and gave our own job back
        lane = self._trade_lane if trades else self._query_lane
        lane.running += 1
        task = asyncio.create_task(self._run(job_id, payload, trades=trades), name=f"job {job_id}")
        self._running[job_id] = task
        task.add_done_callback(lambda _: self._ended(job_id, lane))

    def _ended(self, job_id: str, lane: _Lane) -> None:
        del self._running[job_id]
        if lane.running == lane.slots:
            self._look.set()
        lane.running -= 1

    async def _run(self, job_id: str, payload: bytes, *, trades: bool) -> None:
        started = int(time.time() * 1000)
        enqueued = started
        try:
            body, signature, enqueued = arq_seam.decode_job(payload)
        except arq_seam.NotAJob as error:
            log.warning("job %s refused: %s", job_id, error)
            body, signature = None, None
        done = await self._run_job(Job(job_id, body, signature, trades, self._publish))
        result = arq_seam.encode_result(
            job_id, done.answer, queue=self._keys.queue, enqueued_ms=enqueued, started_ms=started,
            finished_ms=int(time.time() * 1000),
        )  # fmt: skip
        channel = self._keys.replies(done.reply_to) if done.reply_to else ""
        self._finished.append(
            (
                job_id,
                result,
                KEEP_RESULT_MS,
                channel,
                message("A", job_id, done.answer),
                done.share_key,
                done.share_ms,
                done.answer if done.share_key else "",
            )
        )
        self._flush.set()

    async def _stored(self, batch: list[tuple[str | bytes | int, ...]]) -> bool:
        try:
            await self._finish(
                keys=[self._keys.queue, self._keys.callers], args=[field for row in batch for field in row]
            )
        except RedisAway as error:
            log.warning("%d answers wait until Redis is back: %s", len(batch), error)
            return False
        return True

    async def _publish(self, reply_to: str, text: str) -> None:
        """Progress is a courtesy: where Redis is away it is dropped."""
        try:
            await self._store.publish(self._keys.replies(reply_to), text)
        except RedisAway as error:
            log.debug("progress was not published: %s", error)
