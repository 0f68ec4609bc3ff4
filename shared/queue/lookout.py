"""Looks for answers that were not heard: a lost reply costs at most half a second, and one look serves all who wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.errors import BridgeError, Internal, WorkerDown
from shared.queue import arq_seam, scripts
from shared.queue.replies import Inbox
from shared.redis_keys import Keys
from shared.redis_store import Absence, RedisAway, Store

log = logging.getLogger(__name__)

FIRST_LOOK, LAST_LOOK = 0.05, 0.5
"""Seconds between looks for one answer: they double from the first to the last."""
_MOST_AT_ONCE = 256

PutAgain = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Watched:
    inbox: Inbox
    due: float
    pause: float
    put_again: PutAgain | None


class Lookout:
    """Everybody who waits for an answer, and when to look for it next."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._keys = keys
        self._script = store.script(scripts.LOOK)
        self._watched: dict[str, _Watched] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._absence = Absence("answers")
        self.looks = 0
        """How many looks were taken so far."""

    def watch(self, job_id: str, inbox: Inbox, put_again: PutAgain | None) -> None:
        """Look for this answer until it is forgotten.

        ``put_again`` is called where Redis knows nothing of the job any more; None for what must not run twice.
        """
        loop = asyncio.get_running_loop()
        self._watched[job_id] = _Watched(inbox, loop.time() + FIRST_LOOK, FIRST_LOOK, put_again)
        if self._timer is None:
            self._timer = loop.call_later(FIRST_LOOK, self._tick)

    def forget(self, job_id: str) -> None:
        """Nobody waits for this answer any more, if it was looked for at all."""
        self._watched.pop(job_id, None)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(FIRST_LOOK, self._tick) if self._watched else None
        if self._looking is not None:
            return
        now = loop.time()
        due = [(job_id, one) for job_id, one in self._watched.items() if one.due <= now]
        if due:
            self._looking = asyncio.create_task(self._look(due), name="lookout")

    async def _look(self, due: list[tuple[str, _Watched]]) -> None:
        try:
            for start in range(0, len(due), _MOST_AT_ONCE):
                await self._look_at(due[start : start + _MOST_AT_ONCE])
            self._absence.over()
        except RedisAway as error:
            self._absence.noticed(error)
        except Exception:
            log.exception("looking for answers failed; they are looked for again")
        finally:
            now = asyncio.get_running_loop().time()
            for _, one in due:
                one.pause = min(one.pause * 2, LAST_LOOK)
                one.due = now + one.pause
            self._looking = None

    async def _look_at(self, due: list[tuple[str, _Watched]]) -> None:
        self.looks += 1
        keys = [self._keys.queue, self._keys.callers, self._keys.wake, self._keys.heartbeat]
        answers: list[bytes] = await self._script(keys=keys, args=[job_id for job_id, _ in due])
        lost: list[Awaitable[None]] = []
        for (job_id, one), answer in zip(due, answers, strict=True):
            if answer.startswith(b"="):
                one.inbox.put(read_result(job_id, answer[1:]))
            elif answer == b"WITHDRAWN":
                one.inbox.put(WorkerDown("the worker stopped before it began this call"))
            elif answer == b"LOST" and one.put_again is not None and job_id in self._watched:
                lost.append(_put_again(job_id, one.put_again))
        await asyncio.gather(*lost)


async def _put_again(job_id: str, put_again: PutAgain) -> None:
    log.info("job %s was lost with Redis's memory and is put again", job_id)
    try:
        await put_again()
    except BridgeError as error:
        log.info("job %s could not be put again yet: %s", job_id, error)


def read_result(job_id: str, stored: bytes) -> tuple[str, str] | BridgeError:
    """A stored result, as it would have been heard."""
    try:
        return "A", arq_seam.decode_result(stored)
    except arq_seam.NotAJob as error:
        log.warning("the result of job %s is unreadable: %s", job_id, error)
        return Internal("the stored answer is unreadable")
