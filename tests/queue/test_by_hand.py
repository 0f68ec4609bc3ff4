"""What somebody puts into Redis by hand: refused with a log line and an answer; the jobs beside it run."""

from __future__ import annotations

import asyncio
import logging
import pickle
import subprocess
import sys
import time

import pytest
from redis.asyncio import Redis

from shared.errors import BridgeError
from shared.queue import arq_seam, scripts
from shared.queue.client import caller_tag
from tests.queue.house import KEYS, Desk, Held, asking, leading, until

MINE = KEYS.job_id(caller_tag("alice"), "by-hand")


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[list[str]]]:
        return subprocess.check_call, ([sys.executable, "-c", "raise SystemExit(1)"],)


WELL_FORMED = arq_seam.encode_job("{}", "", 1)
PAYLOADS: dict[str, bytes] = {
    "a pickle": pickle.dumps({"f": "call", "a": (_Bomb(),), "k": {}, "t": None, "et": 1}),
    "cut short": WELL_FORMED[:-7],
    "not text": b"\xff\x00\xfe",
    "too large": b'{"f":"call","a":["' + b"x" * scripts.MOST_BYTES + b'",""],"k":{},"t":null,"et":1}',
    "another function": arq_seam.encode_job("{}", "", 1).replace(b'"call"', b'"evil"'),
    "a list": b"[1,2,3]",
    "deep": b"[" * 100_000,
    "a strange time": WELL_FORMED.replace(b'"et":1', b'"et":1' + b"0" * 400),
    "no envelope": WELL_FORMED,
}


async def put(admin: Redis, job_id: bytes | str, payload: bytes) -> None:
    """As somebody with a shell would."""
    raw = job_id if isinstance(job_id, bytes) else job_id.encode()
    await admin.set(arq_seam.JOB.encode() + raw, payload, px=30_000)
    await admin.zadd(KEYS.queue, {raw: time.time() * 1000 - scripts.HEAD_START})


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
async def test_it_is_refused_with_an_answer_and_its_neighbours_run(
    valkey: str, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    held = Held()
    async with Redis.from_url(valkey) as admin, leading(valkey, slots=1) as worker, asking(valkey) as asker:
        worker.desk.play = held
        first = asker.asks(1)
        await worker.desk.has_begun(1)
        await put(admin, MINE, payload)
        neighbours = asker.asks(5)
        await asker.has_queued(6)
        held.released.set()
        await asyncio.gather(*first, *neighbours)

        async def answered() -> bool:
            return bool(await admin.exists(arq_seam.RESULT + MINE))

        await until(answered)
        answer = arq_seam.decode_result(await admin.get(arq_seam.RESULT + MINE))
        assert '"UNREADABLE_JOB"' in answer or '"UNSIGNED_JOB"' in answer
        assert len(worker.desk.begun) == 6
    refusals = [record for record in caplog.records if "refused" in record.message]
    assert refusals or payload == WELL_FORMED, "the well-formed one is refused by whoever reads envelopes"


@pytest.mark.parametrize("job_id", [b"\xff\xfe", b"", b"::", b"main:x", "main:ü:1".encode(), b"a b\r\nc"])
async def test_a_strange_id_disturbs_nobody(valkey: str, job_id: bytes) -> None:
    async with Redis.from_url(valkey) as admin, leading(valkey) as worker, asking(valkey) as asker:
        await put(admin, job_id, WELL_FORMED)
        await asyncio.gather(*asker.asks(5))

        async def gone() -> bool:
            return not await admin.zcard(KEYS.queue)

        await until(gone)
        assert len(worker.desk.begun) == 5


async def test_an_id_without_a_job_or_with_something_else_under_its_key_leaves_the_queue(valkey: str) -> None:
    async with Redis.from_url(valkey) as admin, leading(valkey) as worker, asking(valkey) as asker:
        await admin.zadd(KEYS.queue, {f"main:nobody:{number}": 1_000_000_000_000 + number for number in range(500)})
        await admin.rpush(f"{arq_seam.JOB}main:nobody:0", "a list")
        worker.jobs._poller._on_due = lambda: None
        await asker.ask()
        assert await admin.zcard(KEYS.queue) == 0, "all of them in the claim that found the job behind them"
        assert not await admin.exists(f"{arq_seam.JOB}main:nobody:0")


async def test_a_handler_that_breaks_is_answered_as_a_defect_and_the_worker_lives(valkey: str) -> None:
    async def break_down(*_: object) -> None:
        raise RuntimeError("a defect")

    async def say_the_unsayable(*_: object) -> None:
        return None

    async with leading(valkey, Desk(break_down)) as worker, asking(valkey) as asker:
        with pytest.raises(BridgeError) as seen:
            await asker.ask()
        assert seen.value.code == "INTERNAL"
        assert "a defect" not in str(seen.value)
        worker.desk.play = say_the_unsayable
        await asker.ask()


async def test_a_stored_answer_that_is_none_is_a_defect_and_not_the_end(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held)) as worker, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        (call,) = asker.asks(1)
        await worker.desk.has_begun(1)
        job_id = KEYS.job_id(caller_tag("alice"), worker.desk.begun[0].request_id)
        await admin.set(arq_seam.RESULT + job_id, pickle.dumps({"r": 1}))
        with pytest.raises(BridgeError) as seen:
            await call
        assert seen.value.code == "INTERNAL"
        held.released.set()
        worker.desk.play = Desk().play
        await asker.ask()
