"""The frontend's end of the queue: put a job in, wait for its answer, take it back if nobody waits any more."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from shared import traces
from shared.contract import Call, Effect, Operation
from shared.envelope import VERSION, Envelope, seal
from shared.errors import BridgeError, Busy, OrderUnresolved, QueueDown, TimedOut, WorkerDown
from shared.queue import arq_seam, scripts
from shared.queue.leavers import Leavers
from shared.queue.lookout import Lookout, read_result
from shared.queue.outbox import Outbox, Row
from shared.queue.replies import Inbox, Replies
from shared.queue.sharing import share_key
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store, answered
from shared.time_limit import TimeLimits

log = logging.getLogger(__name__)

GRACE_SECONDS = 1.0
"""How long past the deadline an answer that is being written is still awaited."""

_LAST_WORD_SECONDS = 0.5
"""For asking Redis, once nobody waits any more, what became of a job."""
_REACH_SECONDS = 2.0
"""For Redis to answer before an order is handed over."""
_REACHED_SECONDS = 0.1
"""How long its last answer counts as one."""
_KEEP_EXTRA_MS = 30_000
"""How long a job outlives its deadline in Redis, so that a new worker can still account for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """How much may wait before a call is refused at once."""

    queries: int = 5_000
    of_one_caller: int = 2_000
    """Queries of one caller, those that run included."""
    trades: int = 200
    """Orders and cancels have a reserve of their own."""
    trades_of_one_caller: int = 100


@lru_cache(maxsize=4096)
def caller_tag(caller: str, *, trades: bool = False) -> str:
    """A caller's name as it stands in job ids: short, and without anything that separates their parts.

    A caller's orders are counted under a name of their own, so that no flood of its queries keeps them out.
    """
    tag = hashlib.blake2s(caller.encode(), digest_size=6).hexdigest()
    return f"{tag}t" if trades else tag


class JobClient:
    """Turns calls into jobs and waits for the answers. One for each frontend process."""

    def __init__(self, store: Store, keys: Keys, secret: bytes, limits: QueueLimits | None = None) -> None:
        self._store = store
        self._keys = keys
        self._secret = secret
        self._limits = limits or QueueLimits()
        self._waits = TimeLimits()
        self.name = uuid.uuid4().hex
        self._replies = Replies(store, keys.replies(self.name))
        self.lookout = Lookout(store, keys)
        self._withdraw = store.script(scripts.WITHDRAW)
        self._leavers = Leavers(store, keys)
        self._leaving: set[asyncio.Task[None]] = set()
        # Orders leave on their own: they never wait for a flood of queries to be written.
        self._outboxes = {trades: self._outbox(store, trades=trades) for trades in (True, False)}

    async def run(self) -> None:
        """Listen for replies until cancelled; calls work without it, up to half a second later."""
        try:
            await self._replies.listen()
        finally:
            await asyncio.shield(self.settle())

    async def settle(self) -> None:
        """Return when the jobs of callers that left are taken back, or a second later."""
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=GRACE_SECONDS)

    async def call(self, operation: Operation, arguments: Mapping[str, object], call: Call) -> str:
        """The answer's text.

        Raises ``QueueDown``, ``WorkerDown`` or ``Busy`` where nothing was done, ``TimedOut`` for a read that took too
        long or an order taken back unbegun, ``OrderUnresolved`` where an order's fate is not known yet, and
        ``Internal`` where what is stored as the answer is none.
        """
        if (shared := share_key(self._keys, operation, arguments, authenticated=call.authenticated)) and (
            answer := await self._shared(shared)
        ) is not None:
            return answer
        trades = operation.marker.effect is Effect.TRADES
        job_id = self._keys.job_id(caller_tag(call.caller, trades=trades), call.request_id)
        row = self._row(job_id, operation, arguments, call, trades=trades)
        if trades:
            await self._reach()
        inbox = self._replies.expect(job_id)
        try:
            with self._waits.within(call.seconds_left() + GRACE_SECONDS):
                await self._put(row, trades=trades)
                # A read lost with Redis's memory is put again; an order may have run.
                self.lookout.watch(job_id, inbox, None if trades else lambda: self._put(row, trades=False))
                return await _answer(inbox, call)
        except TimeoutError:
            self.lookout.forget(job_id)
            return await self._give_up(job_id, trades=trades)
        except asyncio.CancelledError:
            # The client went away. A job still queued need not run; what was claimed goes on and its answer stays.
            # On its own, because whoever cancels may do so again at every await.
            leaving = asyncio.create_task(self._quietly_withdraw(job_id, trades=trades))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            raise
        finally:
            self.lookout.forget(job_id)
            self._replies.forget(job_id)

    async def _shared(self, key: str) -> str | None:
        """An answer somebody else got, while it stays true."""
        try:
            stored = await self._store.get(key)
        except RedisAway:
            return None  # putting the job will say so
        return stored.decode() if stored is not None else None

    def _row(
        self, job_id: str, operation: Operation, arguments: Mapping[str, object], call: Call, *, trades: bool
    ) -> Row:
        """The job as the script that enqueues it wants it."""
        envelope = Envelope(
            v=VERSION,
            session=self._keys.session,
            operation=operation.name,
            arguments=dict(arguments),
            caller=call.caller,
            scopes=call.scopes,
            accounts=call.accounts,
            authenticated=call.authenticated,
            deadline_ms=int(call.deadline.timestamp() * 1000),
            request_id=call.request_id,
            reply_to=self.name,
            traceparent=traces.carried(),
        )
        body, signature = seal(envelope, self._secret)
        now = int(time.time() * 1000)
        return (
            job_id,
            arq_seam.encode_job(body, signature, now),
            max(envelope.deadline_ms - now, 1) + _KEEP_EXTRA_MS,
            caller_tag(call.caller, trades=trades),
        )

    def _outbox(self, store: Store, *, trades: bool) -> Outbox:
        enqueue, keys, limits = store.script(scripts.ENQUEUE, own_line=True), self._keys, self._limits
        names = [keys.queue, keys.wake, keys.heartbeat, keys.callers]
        if trades:
            lane = (scripts.AHEAD, 0, scripts.LANE_BOUNDARY, limits.trades, limits.trades_of_one_caller)
        else:
            lane = (
                scripts.HEAD_START, scripts.LANE_BOUNDARY, scripts.CLAIMED, limits.queries, limits.of_one_caller
            )  # fmt: skip

        async def send(rows: Sequence[Row]) -> Sequence[bytes]:
            outcomes: Sequence[bytes] = await enqueue(keys=names, args=[*lane, *itertools.chain.from_iterable(rows)])
            return outcomes

        return Outbox(send)

    async def _put(self, row: Row, *, trades: bool) -> None:
        """Enqueue the job. Its id makes this safe to repeat, and the store does so after a broken connection."""
        try:
            outcome = await self._outboxes[trades].put(row)
        except RedisAway as error:
            log.warning("job %s was not enqueued: %s", row[0], error)
            if trades:
                raise OrderUnresolved("Redis broke off while the order was handed over") from error
            raise QueueDown("Redis cannot be reached") from error
        if outcome == b"NO_WORKER":
            raise WorkerDown("no worker is running")
        if outcome == b"BUSY":
            raise Busy("too many calls are waiting")
        if outcome == b"CALLER_BUSY":
            raise Busy("this caller already has too many calls waiting")

    async def _reach(self) -> None:
        """Return if Redis answers, or just did: an absence noticed before the order leaves proves that it never did."""
        try:
            async with answered(_REACH_SECONDS):
                await self._store.ping(unless_heard_within=_REACHED_SECONDS)
        except RedisAway as error:
            raise QueueDown("Redis cannot be reached; the order was not handed over") from error

    async def _give_up(self, job_id: str, *, trades: bool) -> str:
        """The last word about a call whose time is over."""
        try:
            async with answered(_LAST_WORD_SECONDS):
                outcome = await self._withdraw_job(job_id)
                stored = None if outcome == b"WITHDRAWN" else await self._store.get(arq_seam.RESULT + job_id)
        except RedisAway as error:
            if trades:
                raise OrderUnresolved("Redis went away while the order was under way") from error
            raise QueueDown("Redis went away while the answer was awaited") from error
        if stored is not None:
            return _text(read_result(job_id, stored))
        if outcome == b"WITHDRAWN":
            raise TimedOut(
                "the worker did not begin the call in time; it was withdrawn, certainly nothing was sent",
                retry="after 5 s",
            )
        if not trades:
            raise TimedOut("the worker did not finish the call in time")
        if outcome == b"CLAIMED":
            raise OrderUnresolved("the worker has the order and has not answered yet")
        raise OrderUnresolved("the order was not handed over in time, or its answer is lost")

    async def _withdraw_job(self, job_id: str) -> bytes:
        """Take a job back: ``WITHDRAWN``, ``CLAIMED``, or ``GONE`` where the queue does not have it."""
        names = [self._keys.queue, self._keys.callers, self._keys.wake]
        outcome: bytes = await self._withdraw(keys=names, args=[job_id])
        return outcome

    async def _quietly_withdraw(self, job_id: str, *, trades: bool) -> None:
        try:
            async with answered(GRACE_SECONDS):
                await self._outboxes[trades].settled()
                await self._withdraw_job(job_id)
                if not trades:
                    await self._leavers.tell(job_id)  # it may run already; an order's fate is worth more than its cost
        except RedisAway as error:
            log.info("job %s of a caller that left was not withdrawn: %s", job_id, error)


async def _answer(inbox: Inbox, call: Call) -> str:
    """The answer's text, once it is heard or found; progress is passed on until then."""
    while True:
        heard = await inbox.get()
        if isinstance(heard, BridgeError) or heard[0] == "A":
            return _text(heard)
        await call.progress(heard[1])


def _text(heard: tuple[str, str] | BridgeError) -> str:
    if isinstance(heard, BridgeError):
        raise heard
    return heard[1]
