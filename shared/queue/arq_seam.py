"""Everything that knows arq: its formats, its keys, its polling. arq is pinned exactly; a test holds what is used here.

Jobs and results stay in arq's own formats, so that its tools read our queue and its polling finds every job whose
wake-up was lost. Everything is JSON: arq's default, pickle, would run whatever somebody put into Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from arq import constants
from arq.connections import ArqRedis
from arq.jobs import DeserializationError, deserialize_job_raw, deserialize_result, serialize_job, serialize_result
from arq.worker import Worker, func
from pydantic_core import from_json, to_json
from redis.asyncio import ConnectionPool

from shared.redis_store import answered

JOB = constants.job_key_prefix
RESULT = constants.result_key_prefix
IN_PROGRESS = constants.in_progress_key_prefix

FUNCTION = "call"
"""The one function of the queue; the envelope says which operation."""

POLL_SECONDS = 0.5
"""arq's polling, here only the safety net: what a lost wake-up costs at most."""


_LATEST_MS = 10_000_000_000_000
"""No time of enqueueing is later than the year 2286; one that is would break whoever reads it as a date."""


class NotAJob(Exception):
    """What stands under a job's key is not a job of ours."""


def encode_job(body: str, signature: str, enqueued_ms: int) -> bytes:
    """A job in arq's format."""
    return serialize_job(FUNCTION, (body, signature), {}, None, enqueued_ms, serializer=to_json)


def decode_job(payload: bytes) -> tuple[object, object, int]:
    """Body, signature and time of enqueueing; raises ``NotAJob`` for pickles, scraps and other functions."""
    if not payload:
        raise NotAJob("larger than a job may be")
    try:
        decoded: tuple[Any, ...] = deserialize_job_raw(payload, deserializer=from_json)
        function, (body, signature), kwargs, _, enqueued_ms = decoded
    except (DeserializationError, TypeError, ValueError) as error:
        raise NotAJob("not arq's JSON format") from error
    if function != FUNCTION or kwargs:
        raise NotAJob(f"function {str(function)[:40]!r} is not served here")
    if not isinstance(enqueued_ms, int) or not 0 <= enqueued_ms < _LATEST_MS:
        raise NotAJob("its time of enqueueing is none")
    return body, signature, enqueued_ms


def encode_result(
    job_id: str, answer: str, *, queue: str, enqueued_ms: int, started_ms: int, finished_ms: int
) -> bytes:
    """A result in arq's format. The arguments are left out: a signed envelope is not kept longer than needed."""
    encoded = serialize_result(
        FUNCTION, (), {}, 1, enqueued_ms, True, answer, started_ms, finished_ms, FUNCTION, queue,
        job_id=job_id, serializer=to_json,
    )  # fmt: skip
    if encoded is None:
        raise ValueError("the answer has no JSON form")
    return encoded


def decode_result(payload: bytes) -> str:
    """The answer's text; raises ``NotAJob`` for what is no result of ours."""
    try:
        answer: object = deserialize_result(payload, deserializer=from_json).result
    except DeserializationError as error:
        raise NotAJob("not a result in arq's JSON format") from error
    if not isinstance(answer, str):
        raise NotAJob("the result is not a text")
    return answer


class PollingWorker(Worker):
    """arq's worker with its polling kept and what it does about a job replaced.

    ``on_due`` is called whenever polling sees that something is due. arq's own claiming, retrying and finishing are
    not used: they take a round trip a job, wait five minutes on a dead worker's mark, and may run a job twice.
    """

    def __init__(self, pool: ConnectionPool, queue: str, on_due: Callable[[], None]) -> None:
        super().__init__(
            functions=[func(cast("Any", _never_called), name=FUNCTION, max_tries=1)],
            queue_name=queue,
            redis_pool=ArqRedis(pool, job_serializer=to_json, job_deserializer=from_json, default_queue_name=queue),
            handle_signals=False,
            max_tries=1,
            retry_jobs=False,
            poll_delay=POLL_SECONDS,
            health_check_interval=10,
            job_serializer=to_json,
            job_deserializer=from_json,
        )
        self._on_due = on_due

    async def start_jobs(self, job_ids: Sequence[bytes]) -> None:
        """Polling found jobs that are due: have them claimed, in one script for all."""
        if job_ids:
            self._on_due()

    async def poll_forever(self, guard: Callable[[Awaitable[None]], Awaitable[None]]) -> None:
        """Look at the queue every half second, each look inside ``guard``, which outlives Redis's absences."""
        while True:
            await guard(self._poll())
            await asyncio.sleep(self.poll_delay_s)

    async def _poll(self) -> None:
        async with answered():
            await self._poll_iteration()


async def _never_called(_: dict[str, Any], body: str, signature: str) -> str:
    raise RuntimeError(f"jobs are run by JobWorker, not by arq: {len(body)} {len(signature)}")
