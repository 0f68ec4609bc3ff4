"""The worker's end of the queue: claim jobs in batches when woken, run each once, store and announce the answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field

from shared.envelope import error_text
from shared.errors import Internal
from shared.queue import arq_seam, scripts
from shared.queue.job import Done, Job, RunJob
from shared.queue.lanes import Lanes
from shared.queue.lease import Lease
from shared.queue.leavers import Leavers
from shared.queue.storing import LAST_WORDS_SECONDS, Answers
from shared.redis_keys import Keys
from shared.redis_store import Absence, RedisAway, Store

log = logging.getLogger(__name__)

MARK_MS = 60_000
"""How long the mark of a job once claimed stands: longer than any job is kept."""
_PAUSE_SECONDS = 0.2
"""Before Redis is tried again after it went away."""
_AT_ONCE_SECONDS = 0.01
"""A query that was begun unclaimed and takes longer is claimed."""
_BLOCK_SECONDS = 2
"""Longest single wait on the wake list."""


@dataclass(slots=True)
class _Held:
    """The jobs this process runs; bounded by the slots."""

    tasks: dict[bytes, asyncio.Task[None]] = field(default_factory=dict)
    queries: set[bytes] = field(default_factory=set)
    """Those that may be cut short when their callers leave; an order never is."""
    left: set[bytes] = field(default_factory=set)
    """Those that were."""


class JobWorker:
    """Claims and runs jobs while it holds the lease. One for each worker process."""

    def __init__(self, store: Store, keys: Keys, lease: Lease, run_job: RunJob, lanes: Lanes | None = None) -> None:
        self._store = store
        self._keys = keys
        self._lease = lease
        self._run_job = run_job
        self._lanes = lanes or Lanes()
        self._held = _Held()
        self.answers = Answers(store, keys)
        self._shown = b""
        """The query last begun as a wake-up showed it, unless a claim has asked for it since."""
        self._in_doubt = False
        """Whether a claim's answer did not arrive: jobs may be marked as ours of which we know nothing."""
        self._look = asyncio.Event()
        self._claimed = asyncio.Event()
        self._absence = Absence("queue")
        self._claim = store.script(scripts.CLAIM, repeatable=False, own_line=True)
        self._leavers = Leavers(store, keys)
        self._wake = store.waiting_list(keys.wake)
        self._poller = arq_seam.PollingWorker(store.pool, keys.queue, self._look.set)

    @property
    def running(self) -> dict[str, int]:
        """How many jobs of each lane are being run."""
        return {"trades": self._lanes.trades.running, "queries": self._lanes.queries.running}

    async def run(self) -> None:
        """Serve until cancelled. What is running then goes on; ``drain`` waits for it."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._wait_for_wake())
            tasks.create_task(self._claim_when_due())
            tasks.create_task(self._poller.poll_forever(self._guard))
            tasks.create_task(self._hear_leavers())

    async def _hear_leavers(self) -> None:
        def leave(job_id: str) -> None:
            raw_id = job_id.encode()
            if raw_id in self._held.queries:
                self._held.queries.discard(raw_id)
                self._held.left.add(raw_id)
                # Not before it has begun: a task cancelled then never runs, and would leave its job unaccounted for.
                asyncio.get_running_loop().call_soon(self._held.tasks[raw_id].cancel)

        while True:
            await self._guard(self._leavers.hear(leave))

    async def drain(self, seconds: float) -> int:
        """Wait for what is running, at most so long, and for the answers to be stored.

        Returns how many jobs were still running then. A job cut short is answered by ``run_job`` itself.
        """
        if self._held.tasks:
            await asyncio.wait(self._held.tasks.values(), timeout=seconds)
        left = list(self._held.tasks.values())
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=LAST_WORDS_SECONDS)
        await self.answers.last_words()
        return len(left)

    async def _guard(self, work: Awaitable[None]) -> None:
        """Do a piece of work with Redis; if Redis is away, say so and pause."""
        try:
            await work
            self._absence.over()
        except RedisAway as error:
            self._absence.noticed(error)
            self._in_doubt = True  # a replica that took over may have missed what was stored
            await asyncio.sleep(_PAUSE_SECONDS)
            self._look.set()

    async def _wait_for_wake(self) -> None:
        async def once() -> None:
            woken_by = await self._wake.pop(_BLOCK_SECONDS)
            if woken_by is None:
                return
            if self._begin_shown(woken_by):
                # It goes first, and its answer too where it ends at once: waiting again is a message of its own.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                return
            self._claimed.clear()
            self._look.set()
            # The claim goes first; what is pushed meanwhile it takes along, or it is still there afterwards.
            await self._claimed.wait()

        while True:
            await self._lease.held()  # a stand-by must not take the leader's wake-ups
            await self._guard(once())

    def _begin_shown(self, woken_by: bytes) -> bool:
        """Begin the lone query that the wake-up shows, if it shows one, and tell whether this was done.

        The query is not ours by that: until it is claimed or answered it can be withdrawn, and another worker may run
        it too. Where it ends at once, the claim is spared.
        """
        raw_id, shows, payload = woken_by.partition(b" ")
        if not shows or not self._lanes.admits_query(raw_id) or self._has(raw_id) or not self._lease.safe():
            return False
        if len(payload) > scripts.MOST_BYTES:
            return False
        self._begin(raw_id, payload, trades=False)
        self._shown = raw_id
        asyncio.get_running_loop().call_later(_AT_ONCE_SECONDS, self._claim_unless_ended, raw_id)
        return True

    def _claim_unless_ended(self, raw_id: bytes) -> None:
        if raw_id == self._shown and raw_id in self._held.tasks:
            self._look.set()

    async def _claim_when_due(self) -> None:
        while True:
            await self._look.wait()
            await self._lease.held()
            await self.answers.room()
            self._look.clear()
            await self._guard(self._claim_batch())
            self._claimed.set()
            # What was claimed begins before more is: an order put in meanwhile comes before all of that.
            await asyncio.sleep(0)

    async def _claim_batch(self) -> None:
        lanes = self._lanes.both
        in_doubt, self._in_doubt = self._in_doubt, True
        wanted = [0 if in_doubt else lane.free for lane in lanes]
        shown, self._shown = self._shown, b""
        self.answers.claim_follows()
        claimed: list[bytes] | None = await self._claim(
            keys=[self._keys.queue, self._keys.wake, self._keys.lease, self._keys.callers],
            args=[
                self._lease.holder,
                MARK_MS,
                "lost" if in_doubt else "",
                shown if shown in self._held.tasks else b"",
                self._lanes.near_their_share(),
                *(
                    value
                    for lane, count in zip(lanes, wanted, strict=True)
                    for value in (lane.minimum, lane.maximum, count, lane.of_one_caller)
                ),
            ],
        )
        self._in_doubt = False
        if claimed is None:
            log.info("the lease went elsewhere; nothing is claimed")
            await asyncio.sleep(_PAUSE_SECONDS)
            self._look.set()
            return
        taken = [0, 0]
        for raw_id, payload, score in zip(claimed[::3], claimed[1::3], claimed[2::3], strict=True):
            trades = float(score) < scripts.LANE_BOUNDARY
            taken[0 if trades else 1] += raw_id != shown
            if not self._has(raw_id) and not (trades and self.answers.again(raw_id)):
                self._begin(raw_id, payload, trades=trades)
        for lane, count, got in zip(lanes, wanted, taken, strict=True):
            lane.more = got >= count
            if in_doubt or (lane.more and lane.free):
                self._look.set()

    def _has(self, raw_id: bytes) -> bool:
        """Whether this process runs or has run a job that a lapse of the lease or a second claim hands out again."""
        return raw_id in self._held.tasks or raw_id in self.answers

    def _begin(self, raw_id: bytes, payload: bytes, *, trades: bool) -> None:
        self._lanes.begin(raw_id, trades=trades)
        self._held.tasks[raw_id] = asyncio.create_task(self._run(raw_id, payload, trades=trades))
        if not trades:
            self._held.queries.add(raw_id)

    def _ended(self, raw_id: bytes, *, trades: bool) -> None:
        del self._held.tasks[raw_id]
        self._held.queries.discard(raw_id)
        self._held.left.discard(raw_id)
        if self._lanes.end(raw_id, trades=trades):
            self._look.set()

    async def _run(self, raw_id: bytes, payload: bytes, *, trades: bool) -> None:
        job_id = raw_id.decode(errors="backslashreplace")
        started = enqueued = int(time.time() * 1000)
        try:
            try:
                body, signature, enqueued = arq_seam.decode_job(payload)
            except arq_seam.NotAJob as error:
                log.warning("job %s refused: %s", job_id, error)
                body, signature = None, None
            job = Job(job_id, body, signature, trades, self._publish, lambda: raw_id in self._held.left)
            done = await self._done(job)
            self.answers.add(raw_id, done, enqueued_ms=enqueued, started_ms=started, trades=trades)
        finally:
            self._ended(raw_id, trades=trades)

    async def _done(self, job: Job) -> Done:
        """What came of a job, whatever did."""
        try:
            done = await self._run_job(job)
            done.answer.encode()
        except Exception:
            log.exception("job %s failed", job.id)
            return Done(error_text(Internal(f"request {job.id} failed")), None)
        return done

    async def _publish(self, reply_to: str, text: str) -> None:
        """Progress is a courtesy: where Redis is away it is dropped."""
        try:
            await self._store.publish(self._keys.replies(reply_to), text)
        except RedisAway as error:
            log.debug("progress was not published: %s", error)
