"""Answers on their way to Redis: kept until it has taken them, stored and announced in batches."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from shared import audit
from shared.queue import arq_seam, scripts
from shared.queue.job import Done
from shared.redis_keys import Keys
from shared.redis_store import Absence, RedisAway, Store, answered

log = logging.getLogger(__name__)

KEEP_RESULT_MS = 120_000
"""How long an answer stays for whoever asks by request id."""
LAST_WORDS_SECONDS = 2.0
"""After the last job has ended: how long its answer may take to be stored before the process ends."""
MOST_UNSTORED = 2_000
"""Answers that Redis has not taken yet; beyond them nothing more is claimed."""
_AT_ONCE = 256
"""Answers in one script call: Redis does nothing else while it runs."""
_TRADES_KEPT = 1_000
"""Answers to trades that are stored again instead of running the job a second time."""
_PAUSE_SECONDS = 0.2
"""Before Redis is tried again after it went away."""


@dataclass(slots=True)
class _Finished:
    """One job's answer, as the script takes it."""

    raw_id: bytes
    fields: tuple[str | bytes | int, ...]
    decision: audit.Decision | None


class Answers:
    """The answers of one worker that Redis has not taken yet, and those it has just taken."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._keys = keys
        self._finish = store.script(scripts.FINISH, own_line=True)
        self._finished: list[_Finished] = []
        self._unstored: set[bytes] = set()
        self._stored_since_claim: set[bytes] = set()
        self._trades: OrderedDict[bytes, _Finished] = OrderedDict()
        """The newest answers to orders, cancellations and changes, stored or not."""
        self._come = asyncio.Event()
        self._stored = asyncio.Event()
        self._storing = asyncio.Lock()
        self._absence = Absence("answers to store")

    def __len__(self) -> int:
        """How many Redis has not taken yet."""
        return len(self._unstored)

    def __contains__(self, raw_id: bytes) -> bool:
        """Whether a job's answer waits here, or was stored since the last claim was asked."""
        return raw_id in self._unstored or raw_id in self._stored_since_claim

    def claim_follows(self) -> None:
        """A claim asked from here on hands out nothing whose answer is stored by now."""
        self._stored_since_claim.clear()

    def again(self, raw_id: bytes) -> bool:
        """Store the answer to a trade once more, where a new primary never got it; whether it is known here."""
        finished = self._trades.get(raw_id)
        if finished is not None and raw_id not in self._unstored:
            self._wait_for_redis(finished)
        return finished is not None

    def add(self, raw_id: bytes, done: Done, *, enqueued_ms: int, started_ms: int, trades: bool) -> None:
        """A job is done. Raises ``UnicodeError`` where its answer is no text."""
        keys = self._keys
        result = arq_seam.encode_result(
            raw_id.decode(errors="backslashreplace"), done.answer, queue=keys.queue, enqueued_ms=enqueued_ms,
            started_ms=started_ms, finished_ms=int(time.time() * 1000),
        )  # fmt: skip
        channel = keys.replies(done.reply_to) if done.reply_to else ""
        entry = audit.entry(keys, done.decision) if done.decision is not None else ()
        fields = (raw_id, result, channel, done.answer, done.share_key, done.share_ms, len(entry), *entry)
        finished = _Finished(raw_id, fields, done.decision)
        if trades:
            self._trades[raw_id] = finished
            if len(self._trades) > _TRADES_KEPT:
                self._trades.popitem(last=False)
        self._wait_for_redis(finished)

    def _wait_for_redis(self, finished: _Finished) -> None:
        self._unstored.add(finished.raw_id)
        self._finished.append(finished)
        self._come.set()

    async def room(self) -> None:
        """Return when no more wait than may."""
        while len(self) >= MOST_UNSTORED:
            self._stored.clear()
            await self._stored.wait()

    async def keep(self) -> None:
        """Store what comes, until cancelled."""
        while True:
            await self._come.wait()
            self._come.clear()
            await self._store_all()

    async def last_words(self) -> None:
        """Store what is left before the process ends; what was decided and Redis does not take goes into the log."""
        try:
            async with answered(LAST_WORDS_SECONDS):
                await self._store_all()
        except Exception as error:  # whatever it is: what was decided must not be lost
            log.warning("%d answers were not stored: %s", len(self._finished), error)
            _into_the_log(self._finished)

    async def _store_all(self) -> None:
        """Store every answer, again and again while Redis is away: storing may be repeated."""
        async with self._storing:
            while batch := self._finished[:_AT_ONCE]:
                try:
                    silent: list[bytes] = await self._finish(
                        keys=[self._keys.queue, self._keys.callers, self._keys.audit, self._keys.audit_due],
                        args=[KEEP_RESULT_MS, *(field for row in batch for field in row.fields)],
                    )
                except RedisAway as error:
                    self._absence.noticed(error)
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                self._absence.over()
                del self._finished[: len(batch)]
                ids = {row.raw_id for row in batch}
                self._unstored -= ids
                self._stored_since_claim |= ids
                self._stored.set()
                _into_the_log(row for row in batch if row.raw_id in silent)


def _into_the_log(rows: Iterable[_Finished]) -> None:
    """Decisions whose entry no Redis took."""
    for row in rows:
        if row.decision is not None:
            audit.into_the_log(row.decision)
