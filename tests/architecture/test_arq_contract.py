"""What this project relies on in arq, held against arq itself: its formats, its keys, the hooks that are overridden."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.metadata import requires, version

import fakeredis
import pytest
from arq import constants
from arq.connections import ArqRedis
from arq.jobs import Job, JobStatus
from arq.worker import Worker
from pydantic_core import from_json, to_json

from shared.queue import arq_seam
from shared.queue.arq_seam import NotAJob, PollingWorker, decode_job, decode_result, encode_job, encode_result

QUEUE = "ibkr:main:queue"


@pytest.fixture
async def arq() -> AsyncIterator[ArqRedis]:
    """arq's own client with JSON instead of pickle."""
    pool = fakeredis.FakeAsyncRedis().connection_pool
    yield ArqRedis(pool, job_serializer=to_json, job_deserializer=from_json, default_queue_name=QUEUE)
    await pool.disconnect()


def test_the_release_is_the_one_this_was_written_for() -> None:
    assert version("arq") == "0.28.0"
    assert any(need.startswith("redis") and "<6" in need for need in requires("arq") or [])


def test_the_keys_are_those_of_arq() -> None:
    assert (arq_seam.JOB, arq_seam.RESULT, arq_seam.IN_PROGRESS) == ("arq:job:", "arq:result:", "arq:in-progress:")
    assert constants.job_key_prefix == arq_seam.JOB
    assert constants.result_key_prefix == arq_seam.RESULT
    assert constants.in_progress_key_prefix == arq_seam.IN_PROGRESS


async def test_arq_reads_a_job_of_ours(arq: ArqRedis) -> None:
    await arq.set(arq_seam.JOB + "main:x:1", encode_job("body", "signature", 1_700_000_000_000))
    await arq.zadd(QUEUE, {"main:x:1": 1})
    (queued,) = await arq.queued_jobs(queue_name=QUEUE)
    assert queued.function == arq_seam.FUNCTION
    assert list(queued.args) == ["body", "signature"]
    assert queued.kwargs == {}
    assert queued.enqueue_time == datetime.fromtimestamp(1_700_000_000, UTC)
    job = Job("main:x:1", arq, QUEUE, _deserializer=from_json)
    assert await job.status() is JobStatus.queued


async def test_we_read_a_job_of_arq(arq: ArqRedis) -> None:
    job = await arq.enqueue_job(arq_seam.FUNCTION, "body", "signature", _job_id="main:x:2")
    assert job is not None
    stored = await arq.get(arq_seam.JOB + "main:x:2")
    body, signature, enqueued_ms = decode_job(stored)
    assert (body, signature) == ("body", "signature")
    assert abs(enqueued_ms - int(datetime.now(UTC).timestamp() * 1000)) < 60_000
    assert await arq.zscore(QUEUE, "main:x:2") == pytest.approx(enqueued_ms, abs=1000)


async def test_arq_reads_a_result_of_ours(arq: ArqRedis) -> None:
    result = encode_result("main:x:3", "answer", queue=QUEUE, enqueued_ms=1, started_ms=2, finished_ms=3)
    await arq.set(arq_seam.RESULT + "main:x:3", result)
    info = await Job("main:x:3", arq, QUEUE, _deserializer=from_json).result_info()
    assert info is not None
    assert (info.result, info.success, info.queue_name, info.job_id) == ("answer", True, QUEUE, "main:x:3")
    assert list(info.args) == []
    assert decode_result(result) == "answer"


def test_a_job_and_a_result_are_json_and_hold_no_pickle() -> None:
    for payload in (
        encode_job("body", "signature", 1),
        encode_result("id", "answer", queue=QUEUE, enqueued_ms=1, started_ms=2, finished_ms=3),
    ):
        assert isinstance(json.loads(payload), dict)


@pytest.mark.parametrize("payload", [b"", b"x", b"null", b"[]", b"{}", b"\x80\x04N.", b'{"f":1}'])
def test_what_is_no_job_or_result_is_said_to_be_none(payload: bytes) -> None:
    with pytest.raises(NotAJob):
        decode_job(payload)
    with pytest.raises(NotAJob):
        decode_result(payload)


def test_letters_beyond_ascii_survive() -> None:
    assert decode_job(encode_job("Zürich 東京", "é", 1))[:2] == ("Zürich 東京", "é")
    encoded = encode_result("id", "Zürich 東京", queue=QUEUE, enqueued_ms=1, started_ms=2, finished_ms=3)
    assert decode_result(encoded) == "Zürich 東京"


@pytest.mark.parametrize(
    ("hook", "parameters"),
    [("start_jobs", ["self", "job_ids"]), ("_poll_iteration", ["self"]), ("heart_beat", ["self"])],
)
def test_the_hooks_are_where_they_were(hook: str, parameters: list[str]) -> None:
    method = getattr(Worker, hook)
    assert inspect.iscoroutinefunction(method)
    assert list(inspect.signature(method).parameters) == parameters


async def test_polling_hands_what_is_due_to_us_and_runs_nothing_itself(arq: ArqRedis) -> None:
    due: list[int] = []
    worker = PollingWorker(arq.connection_pool, QUEUE, lambda: due.append(1))
    assert worker.poll_delay_s == arq_seam.POLL_SECONDS
    await worker._poll_iteration()
    assert due == []
    await arq.enqueue_job(arq_seam.FUNCTION, "body", "signature", _job_id="main:x:4")
    await worker._poll_iteration()
    assert due == [1]
    assert worker.tasks == {}
    assert await arq.exists(arq_seam.JOB + "main:x:4") == 1


async def test_the_worker_retries_nothing_and_handles_no_signals(arq: ArqRedis) -> None:
    worker = PollingWorker(arq.connection_pool, QUEUE, lambda: None)
    assert (worker.max_tries, worker.retry_jobs) == (1, False)
    assert worker.job_deserializer is from_json
    with pytest.raises(RuntimeError, match="run by JobWorker"):
        await worker.functions[arq_seam.FUNCTION].coroutine({}, "body", "signature")
