"""The frontend's end of the queue: put a job in, wait for its answer, take it back if nobody waits any more."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from shared.contract import Call, Effect, Operation
from shared.envelope import Envelope, seal
from shared.errors import Busy, OrderUnresolved, QueueDown, TimedOut, WorkerDown
from shared.queue import arq_seam, scripts
from shared.queue.replies import Inbox, Replies
from shared.queue.sharing import share_key
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store

log = logging.getLogger(__name__)

GRACE_SECONDS = 1.0
"""How long past the deadline an answer that is being written is still awaited."""

_FIRST_LOOK, _LAST_LOOK = 0.05, 0.5
"""Seconds between looks at the result key: what a lost reply costs at most."""

_KEEP_EXTRA_MS = 30_000
"""How long a job outlives its deadline in Redis, so that a new worker can still account for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """How much may wait before a call is refused at once."""

    queries: int = 5_000
    trades: int = 200
    """Orders and cancels have a reserve of their own."""
    of_one_caller: int = 2_000


def caller_tag(caller: str) -> str:
    """A caller's name as it stands in job ids: short, and without anything that separates their parts."""
    return hashlib.blake2s(caller.encode(), digest_size=6).hexdigest()


class JobClient:
    """Turns calls into jobs and waits for the answers. One for each frontend process."""

    def __init__(self, store: Store, keys: Keys, secret: bytes, limits: QueueLimits | None = None) -> None:
        self._store = store
        self._keys = keys
        self._secret = secret
        self._limits = limits or QueueLimits()
        self.name = uuid.uuid4().hex
        self._replies = Replies(store, keys.replies(self.name))
        self._enqueue = store.script(scripts.ENQUEUE)
        self._withdraw = store.script(scripts.WITHDRAW)

    async def run(self) -> None:
        """Listen for replies until cancelled; calls work without it, up to half a second later."""
        await self._replies.listen()

    async def call(self, operation: Operation, arguments: Mapping[str, object], call: Call) -> str:
        """The answer's text. The job is enqueued before anything else is awaited.

        Raises ``QueueDown``, ``WorkerDown`` or ``Busy`` where nothing was done, ``TimedOut`` for a read that took too
        long, and ``OrderUnresolved`` where an order was taken and its fate is not known yet.
        """
        if (shared := share_key(self._keys, operation, arguments)) and (
            answer := await self._shared(shared)
        ) is not None:
            return answer
        job_id = self._keys.job_id(caller_tag(call.caller), call.request_id)
        trades = operation.marker.effect is Effect.TRADES
        envelope = Envelope(
            session=self._keys.session,
            operation=operation.name,
            arguments=dict(arguments),
            caller=call.caller,
            scopes=call.scopes,
            deadline_ms=int(call.deadline.timestamp() * 1000),
            request_id=call.request_id,
            reply_to=self.name,
        )
        with self._replies.expect(job_id) as inbox:
            await self._put(job_id, envelope, trades=trades)
            try:
                answer = await self._wait(job_id, inbox, call)
                return answer if answer is not None else await self._give_up(job_id, trades=trades)
            except asyncio.CancelledError:
                # The client went away. A job still queued need not run; what was claimed goes on and its answer stays.
                await self._quietly_withdraw(job_id)
                raise

    async def _shared(self, key: str) -> str | None:
        """An answer somebody else got, while it stays true."""
        try:
            stored = await self._store.get(key)
        except RedisAway:
            return None  # putting the job will say so
        return stored.decode() if stored is not None else None

    async def _put(self, job_id: str, envelope: Envelope, *, trades: bool) -> None:
        body, signature = seal(envelope, self._secret)
        now = int(time.time() * 1000)
        lane = (0, scripts.LANE_BOUNDARY) if trades else (scripts.LANE_BOUNDARY, scripts.CLAIMED)
        if trades:
            await self._reach()
        try:
            # The job's id makes this safe to repeat, and the Redis client does so once after a broken connection.
            outcome = await self._enqueue(
                keys=[self._keys.queue, self._keys.wake, self._keys.heartbeat, self._keys.callers],
                args=[
                    job_id,
                    arq_seam.encode_job(body, signature, now),
                    max(envelope.deadline_ms - now, 1) + _KEEP_EXTRA_MS,
                    now - (scripts.AHEAD if trades else scripts.HEAD_START),
                    *lane,
                    self._limits.trades if trades else self._limits.queries,
                    caller_tag(envelope.caller),
                    self._limits.of_one_caller,
                ],
            )
        except RedisAway as error:
            log.warning("request %s was not enqueued: %s", envelope.request_id, error)
            if trades:
                raise OrderUnresolved("Redis broke off while the order was handed over") from error
            raise QueueDown("Redis cannot be reached") from error
        if outcome == b"NO_WORKER":
            raise WorkerDown("no worker is running")
        if outcome == b"BUSY":
            raise Busy("too many calls are waiting")
        if outcome == b"CALLER_BUSY":
            raise Busy(f"this caller already has {self._limits.of_one_caller} calls waiting")

    async def _reach(self) -> None:
        """Return if Redis answers: an absence noticed before the order leaves proves that it never did."""
        try:
            await self._store.ping()
        except RedisAway as error:
            raise QueueDown("Redis cannot be reached; the order was not handed over") from error

    async def _wait(self, job_id: str, inbox: Inbox, call: Call) -> str | None:
        """The answer from the reply channel, or from the result key where the reply was lost; None past patience."""
        give_up = time.monotonic() + call.seconds_left() + GRACE_SECONDS
        look = _FIRST_LOOK
        while (left := give_up - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(min(look, left)):
                    kind, text = await inbox.get()
            except TimeoutError:
                look = min(look * 2, _LAST_LOOK)
                answer = await self._look(job_id)
                if answer is not None:
                    return answer
            else:
                if kind == "A":
                    return text
                await call.progress(text)
        return None

    async def _look(self, job_id: str) -> str | None:
        """The stored answer, where there is one; raises ``WorkerDown`` if nobody will begin the job."""
        try:
            stored, alive = await self._store.get_and_exists(arq_seam.RESULT + job_id, self._keys.heartbeat)
            if stored is not None:
                return arq_seam.decode_result(stored)
            if not alive and await self._withdrawn(job_id):
                raise WorkerDown("the worker stopped before it began this call")
        except RedisAway as error:
            log.info("job %s: Redis is away while its answer is awaited: %s", job_id, error)
        return None

    async def _give_up(self, job_id: str, *, trades: bool) -> str:
        try:
            withdrawn = await self._withdrawn(job_id)
            stored = None if withdrawn else await self._store.get(arq_seam.RESULT + job_id)
        except RedisAway as error:
            if trades:
                raise OrderUnresolved("Redis went away while the order was under way") from error
            raise QueueDown("Redis went away while the answer was awaited") from error
        if stored is not None:
            return arq_seam.decode_result(stored)
        if withdrawn:
            raise TimedOut(
                "the worker did not begin the call in time; it was withdrawn, certainly nothing was sent",
                retry="after 5 s",
            )
        if trades:
            raise OrderUnresolved("the worker has the order and has not answered yet")
        raise TimedOut("the worker began the call and did not finish it in time")

    async def _withdrawn(self, job_id: str) -> bool:
        outcome: bytes = await self._withdraw(keys=[self._keys.queue, self._keys.callers], args=[job_id])
        return outcome == b"WITHDRAWN"

    async def _quietly_withdraw(self, job_id: str) -> None:
        try:
            await asyncio.wait_for(asyncio.shield(self._withdrawn(job_id)), 1.0)
        except (RedisAway, TimeoutError) as error:
            log.info("job %s of a caller that left was not withdrawn: %s", job_id, error)
