"""Whatever one side says to the other and is lost on the way: it costs at most half a second, never an answer."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from shared.envelope import Envelope
from shared.queue import scripts
from shared.queue.arq_seam import POLL_SECONDS
from shared.queue.job import Job
from shared.queue.lookout import LAST_LOOK
from shared.queue.replies import SEPARATOR, message
from tests.queue.house import KEYS, TRADE, Desk, Held, asking, leading, say_two_things, subscribed, until, working
from tests.queue.proxy import Proxy, name_of


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1].partition("/")[0])


async def test_an_answer_is_heard_and_nobody_has_to_look_for_it(valkey: str) -> None:
    async with leading(valkey), asking(valkey) as asker:
        for _ in range(20):
            await asker.ask()
        assert asker.client.lookout.looks == 0


async def test_scripts_that_redis_lost_are_loaded_again_and_every_answer_is_heard(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        await asker.ask()
        for _ in range(5):
            await admin.script_flush()
            await asyncio.gather(*asker.asks(5), *asker.asks(2, TRADE))
        assert asker.client.lookout.looks == 0
        assert worker.desk.operations.count(TRADE) == 10


async def test_a_lost_wake_up_is_made_up_for_by_the_next_look_at_the_queue(valkey: str) -> None:
    async with Proxy(port_of(valkey)) as proxy, leading(proxy.url) as worker, asking(valkey) as asker:
        await asker.ask()
        polls = 0
        look_for_due = worker.jobs._poller.start_jobs

        async def counted(job_ids: list[bytes]) -> None:
            nonlocal polls
            polls += 1
            await look_for_due(job_ids)

        worker.jobs._poller.start_jobs = counted  # type: ignore[method-assign,assignment]
        proxy.lose_reply_to(b"BLPOP")
        await asker.ask()
        await proxy.lost.wait()
        assert polls <= 2, "arq looks every half second, so the first look that can see the job does"
        assert POLL_SECONDS <= 0.5


async def test_a_wake_up_stolen_from_the_list_costs_no_answer(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker, Redis.from_url(valkey) as thief:

        async def steal() -> None:
            while True:
                await thief.blpop([KEYS.wake])

        stealing = asyncio.create_task(steal())
        await asyncio.gather(*asker.asks(5))
        assert len(worker.desk.begun) == 5
        stealing.cancel()
        await asyncio.gather(stealing, return_exceptions=True)


async def test_without_a_reply_channel_every_answer_is_found(valkey: str) -> None:
    async with leading(valkey), asking(valkey, listen=False) as asker:
        answers = await asyncio.gather(*asker.asks(50))
        assert len({answer["request_id"] for answer in answers}) == 50
        assert 1 <= asker.client.lookout.looks <= 4, "one look serves all who wait"
        assert LAST_LOOK <= 0.5


async def test_a_reply_channel_that_was_cut_is_subscribed_again(valkey: str) -> None:
    async with leading(valkey), asking(valkey) as asker, Redis.from_url(valkey) as admin:
        await asker.ask()
        cut = {one["id"] for one in await admin.client_list(_type="pubsub")}
        for connection in cut:
            await admin.client_kill_filter(_id=connection)
        await asker.ask()  # heard or found

        async def another() -> bool:
            now = {one["id"] for one in await admin.client_list(_type="pubsub")}
            return len(now) == len(cut) == 2 and not now & cut  # the asker's, and the worker's for those who leave

        await until(another)
        assert await subscribed(asker.store, asker.client)
        looks = asker.client.lookout.looks
        await asker.ask()
        assert asker.client.lookout.looks == looks, "heard again"


async def test_noise_on_a_reply_channel_disturbs_nobody(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held)) as worker, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        (call,) = asker.asks(1)
        await worker.desk.has_begun(1)
        for noise in (b"", b"A", b"\xff\xfe", b"A nobody {}", b"P nobody x", b"? ? ?"):
            await admin.publish(KEYS.replies(asker.client.name), noise)
        held.released.set()
        await call
        looks = asker.client.lookout.looks
        worker.desk.play = Desk().play
        await asker.ask()
        assert asker.client.lookout.looks == looks, "the channel still works"


async def test_answers_said_together_reach_each_his_own(valkey: str) -> None:
    held = Held()
    async with leading(valkey, Desk(held)) as worker, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        calls = asker.asks(3)
        await worker.desk.has_begun(3)
        said = [message("A", job_id, f'{{"result":{{"job":"{job_id}"}}}}') for job_id in asker.client._replies._inboxes]
        await admin.publish(KEYS.replies(asker.client.name), SEPARATOR.join(said))
        answers = await asyncio.gather(*calls)
        assert len({answer["job"] for answer in answers}) == 3
        held.released.set()


async def test_progress_with_any_text_is_one_message(valkey: str) -> None:
    heard: list[str] = []

    async def say_a_separator(envelope: Envelope, job: Job) -> None:
        await job.progress(envelope.reply_to, message("P", job.id, f"one{SEPARATOR}A {job.id} x"))

    async with leading(valkey, Desk(say_a_separator)), asking(valkey) as asker:
        await asker.ask(heard=heard)
    assert len(heard) == 1


async def test_progress_arrives_in_order_before_the_answer(valkey: str) -> None:
    heard: list[str] = []
    async with leading(valkey, Desk(say_two_things)), asking(valkey) as asker:
        await asker.ask(heard=heard)
    assert heard == ["half way", "nearly"]


async def test_when_the_claims_own_reply_is_lost_its_jobs_run_once_and_at_once(valkey: str) -> None:
    async with Proxy(port_of(valkey)) as proxy, leading(proxy.url) as worker, asking(valkey) as asker:
        await asker.ask()
        proxy.lose_reply_to(name_of(scripts.CLAIM))
        calls = [*asker.asks(3), *asker.asks(2, TRADE)]
        answers = await asyncio.gather(*calls)
        assert proxy.lost.is_set()
        assert sorted(answer["request_id"] for answer in answers) == sorted(
            envelope.request_id for envelope in worker.desk.begun[1:]
        )
        assert worker.lease.epoch == 1, "nobody had to wait for a new lease"


async def test_when_the_claims_reply_is_lost_with_every_slot_taken_nothing_is_overbooked(valkey: str) -> None:
    held = Held()
    async with (
        Proxy(port_of(valkey)) as proxy,
        leading(proxy.url, Desk(held), slots=2) as worker,
        asking(valkey) as asker,
    ):
        first = asker.asks(1)
        await worker.desk.has_begun(1)
        proxy.lose_reply_to(name_of(scripts.CLAIM))
        rest = asker.asks(5)
        await proxy.lost.wait()
        await worker.desk.has_begun(2)
        await asker.has_queued(4)
        assert len(worker.desk.begun) == 2
        held.released.set()
        await asyncio.gather(*first, *rest)
        assert len(worker.desk.begun) == 6


async def test_when_the_finish_reply_is_lost_it_is_stored_again_and_counted_once(valkey: str) -> None:
    async with Proxy(port_of(valkey)) as proxy, leading(proxy.url) as worker, asking(valkey) as asker:
        await asker.ask()
        proxy.lose_reply_to(name_of(scripts.FINISH))
        await asyncio.gather(*asker.asks(4))
        await proxy.lost.wait()
        await asker.ask()
        assert len(worker.desk.begun) == 6
        assert await asker.store.hash(KEYS.callers) == {}


async def test_when_the_reply_to_enqueueing_is_lost_the_order_is_handed_over_once(valkey: str) -> None:
    async with Proxy(port_of(valkey)) as proxy, leading(valkey) as worker, asking(proxy.url) as asker:
        await asker.ask(TRADE)
        proxy.lose_reply_to(name_of(scripts.ENQUEUE))
        await asker.ask(TRADE)
        assert proxy.lost.is_set()
        assert len(worker.desk.begun) == 2


async def test_when_the_reply_to_taking_the_lease_is_lost_the_holder_learns_its_epoch(valkey: str) -> None:
    async with Proxy(port_of(valkey)) as proxy:
        proxy.lose_reply_to(name_of(scripts.LEAD))
        async with working(proxy.url) as worker, asking(valkey) as asker:
            await worker.lease.held()
            assert proxy.lost.is_set()
            assert worker.lease.epoch == 1
            await asker.ask()
