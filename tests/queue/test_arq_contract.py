"""What this project relies on in arq: its keys, its formats, its polling. A new arq that changes them fails here."""

from __future__ import annotations

import inspect
import json

import arq
from arq import constants
from arq.connections import ArqRedis
from arq.jobs import Job as ArqJob
from arq.jobs import JobStatus
from arq.worker import Worker
from pydantic_core import from_json, to_json
from redis.asyncio import Redis

from shared.queue import arq_seam
from shared.queue.client import caller_tag
from tests.queue.house import KEYS, Desk, Held, asking, leading


def arqs_view(redis: Redis, request_id: str) -> ArqJob:
    """The job as arq's own tools see it."""
    client = ArqRedis(redis.connection_pool, job_serializer=to_json, job_deserializer=from_json)
    job_id = KEYS.job_id(caller_tag("alice"), request_id)
    return ArqJob(job_id, client, _queue_name=KEYS.queue, _deserializer=from_json)


def test_the_version_is_the_one_that_was_tested() -> None:
    assert arq.VERSION == "0.28.0"


def test_the_keys_are_arqs() -> None:
    assert (constants.job_key_prefix, constants.result_key_prefix, constants.in_progress_key_prefix) == (
        "arq:job:", "arq:result:", "arq:in-progress:",
    )  # fmt: skip


def test_a_job_is_a_dictionary_of_five() -> None:
    assert json.loads(arq_seam.encode_job("body", "signature", 7)) == {
        "t": None, "f": "call", "a": ["body", "signature"], "k": {}, "et": 7,
    }  # fmt: skip
    assert arq_seam.decode_job(arq_seam.encode_job("body", "signature", 7)) == ("body", "signature", 7)


def test_a_result_is_a_dictionary_that_gives_the_answer_back() -> None:
    stored = arq_seam.encode_result("id", 'ä\n"', queue="q", enqueued_ms=1, started_ms=2, finished_ms=3)
    assert json.loads(stored) == {
        "t": 1, "f": "call", "a": [], "k": {}, "et": 1, "s": True, "r": "ä\n\"", "st": 2, "ft": 3, "q": "q", "id": "id",
    }  # fmt: skip
    assert arq_seam.decode_result(stored) == 'ä\n"'


def test_the_hooks_that_are_overridden_or_called_exist_as_they_did() -> None:
    assert list(inspect.signature(Worker.start_jobs).parameters) == ["self", "job_ids"]
    assert inspect.iscoroutinefunction(Worker.start_jobs)
    assert list(inspect.signature(Worker._poll_iteration).parameters) == ["self"]
    assert "self.start_jobs(job_ids)" in inspect.getsource(Worker._poll_iteration)
    known = inspect.signature(Worker.__init__).parameters
    used = inspect.getsource(arq_seam.PollingWorker.__init__)
    for option in ("functions", "queue_name", "redis_pool", "handle_signals", "max_tries", "retry_jobs", "poll_delay",
                   "health_check_interval", "job_serializer", "job_deserializer"):  # fmt: skip
        assert option in known
        assert f"{option}=" in used


async def test_arqs_own_tools_read_the_queue(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held), slots=1) as worker, asking(valkey) as asker, Redis.from_url(valkey) as redis:
        running = asker.asks(1)
        await worker.desk.has_begun(1)
        await asker.has_queued(0)
        queued = asker.asks(1)
        await asker.has_queued(1)
        (waiting,) = [
            job_id for job_id in asker.client._replies._inboxes if worker.desk.begun[0].request_id not in job_id
        ]
        assert await arqs_view(redis, worker.desk.begun[0].request_id).status() is JobStatus.in_progress
        seen = arqs_view(redis, waiting.rpartition(":")[2])
        assert await seen.status() is JobStatus.queued
        info = await seen.info()
        assert info is not None
        assert info.function == "call"
        held.released.set()
        await running[0]
        await queued[0]
        done = arqs_view(redis, worker.desk.begun[0].request_id)
        assert await done.status() is JobStatus.complete
        result = await done.result_info()
        assert result is not None
        assert result.success
        assert worker.desk.begun[0].request_id in result.result


async def test_a_job_enqueued_by_arq_itself_is_found_by_polling_and_run(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker, Redis.from_url(valkey) as redis:
        client = ArqRedis(redis.connection_pool, job_serializer=to_json, job_deserializer=from_json)
        job = await client.enqueue_job(arq_seam.FUNCTION, "{}", "", _job_id="main:x:1", _queue_name=KEYS.queue)
        assert job is not None
        answer = await job.result(timeout=3, poll_delay=0.02)
        assert "UNSIGNED_JOB" in answer
        assert worker.desk.begun == []
        await asker.ask()
