"""Answers are stored once Redis takes them, however many there are; what was decided is never lost."""

from __future__ import annotations

import asyncio
import logging

import pytest
from redis.asyncio import Redis

from shared import audit
from shared.queue import arq_seam, scripts, storing
from shared.queue.job import Done, Job
from tests.queue.house import KEYS, TRADE, Asker, Desk, Held, asking, leading, until, working
from tests.queue.proxy import Proxy, name_of
from tests.queue.servers import restartable
from tests.queue.test_lost_words import port_of


async def test_thousands_of_answers_that_waited_are_stored_and_heard(
    valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 4_200
    monkeypatch.setattr(storing, "MOST_UNSTORED", most)
    async with (
        Proxy(port_of(valkey)) as proxy,
        working(proxy.url, slots=512) as serving,
        asking(valkey) as asker,
    ):
        await serving.lease.held()
        proxy.hold_back(name_of(scripts.FINISH))
        calls = [call for number in range(5) for call in asker.asks(900, caller=f"caller-{number}", seconds=30)]
        async with asyncio.timeout(30):
            while len(serving.jobs.answers) < most:  # noqa: ASYNC110 - nothing else tells of it
                await asyncio.sleep(0.01)
        proxy.let_go()
        answers = await asyncio.gather(*calls)
        assert len({answer["request_id"] for answer in answers}) == len(serving.desk.begun) == len(calls)


async def test_while_answers_cannot_be_stored_only_so_much_more_is_begun(
    valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "MOST_UNSTORED", 40)
    async with (
        Proxy(port_of(valkey)) as proxy,
        working(proxy.url, slots=8) as serving,
        asking(valkey) as asker,
    ):
        await serving.lease.held()
        proxy.hold_back(name_of(scripts.FINISH))
        calls = asker.asks(200, seconds=20)
        await serving.desk.has_begun(40)
        await asyncio.sleep(2 * arq_seam.POLL_SECONDS)
        assert len(serving.desk.begun) <= 40 + 8
        proxy.let_go()
        await asyncio.gather(*calls)


async def test_a_decision_that_redis_did_not_take_before_the_end_is_in_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "LAST_WORDS_SECONDS", 0.3)
    held = Held()

    class Deciding(Desk):
        async def __call__(self, job: Job) -> Done:
            done = await super().__call__(job)
            decision = audit.Decision(
                by="worker", caller="alice", operation=TRADE, request_id="told", arguments={}, outcome="no", detail=""
            )
            return Done(done.answer, done.reply_to, decision=decision)

    async with (
        restartable(durable=False) as server,
        asking(server.url) as asker,
        leading(server.url, Deciding(held)) as serving,
    ):
        (call,) = asker.asks(1, TRADE)
        await serving.desk.has_begun(1)
        server.freeze()
        held.released.set()
        await serving.stop_serving()
        await serving.jobs.drain(0.5)
        server.thaw()
        call.cancel()
    said = [record.getMessage() for record in caplog.records]
    assert [one for one in said if one.startswith("1 answers were not stored")]
    assert [one for one in said if one.startswith("audit entry not written") and "told" in one]


async def taken_over(admin: Redis, asker: Asker, result: bytes, score: float) -> None:
    """Let a replica take over that has a job as claimed and not as answered; return when it has the answer again."""
    job_id = result.decode().removeprefix(arq_seam.RESULT)
    await admin.delete(result)
    await admin.set(f"{arq_seam.JOB}{job_id}", arq_seam.encode_job("the body", "and its seal", 0), px=30_000)
    await admin.zadd(KEYS.queue, {job_id: scripts.CLAIMED + score})
    for connection in await admin.client_list():
        if connection["cmd"] == "blpop":
            await admin.client_kill_filter(_id=connection["id"])

    async def accounted_for() -> bool:
        return await asker.claimed() == 0 and bool(await admin.exists(result))

    await until(accounted_for)


async def the_only_result(admin: Redis) -> bytes:
    [result] = [bytes(key) async for key in admin.scan_iter(f"{arq_seam.RESULT}*")]
    return result


async def test_an_answer_that_a_new_primary_never_got_is_stored_again(valkey: str) -> None:
    async with leading(valkey) as serving, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        await asker.ask()
        await taken_over(admin, asker, await the_only_result(admin), score=scripts.LANE_BOUNDARY)
        assert serving.lease.epoch == 1, "nobody had to wait for a new lease"


@pytest.mark.parametrize("how", ["demoted", "unblocked"])
async def test_a_primary_that_becomes_a_replica_for_a_while_ends_no_worker(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        restartable(durable=False) as server,
        leading(server.url) as serving,
        asking(server.url) as asker,
        Redis.from_url(server.url) as admin,
    ):
        await asker.ask()
        if how == "demoted":
            await admin.execute_command("REPLICAOF", "127.0.0.1", "1")
            await asyncio.sleep(3 * arq_seam.POLL_SECONDS)  # looks that only read succeed meanwhile
            await admin.execute_command("REPLICAOF", "NO", "ONE")
        else:
            for connection in await admin.client_list():
                if connection["cmd"] == "blpop":
                    await admin.execute_command("CLIENT", "UNBLOCK", connection["id"], "ERROR")

        async def answers() -> bool:
            try:
                await asker.ask(seconds=1)
            except Exception:
                return False
            return True

        await until(answers)
        assert not serving.tasks["serve"].done()
        said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert len([one for one in said if one.startswith("queue: ")]) <= 2, "said once, and once that it is over"


async def test_a_trade_whose_answer_a_new_primary_never_got_is_not_run_again(valkey: str) -> None:
    async with leading(valkey) as serving, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        await asker.ask(TRADE)
        result = await the_only_result(admin)
        await asker.ask(TRADE, arguments={"order_id": 2})  # a later one, that running the first again would undo
        await taken_over(admin, asker, result, score=1e11)
        assert [envelope.arguments["order_id"] for envelope in serving.desk.begun] == [1, 2]
