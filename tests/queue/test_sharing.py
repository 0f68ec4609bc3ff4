"""Answers that stay true are given to others without waking the worker; nothing about accounts ever is."""

from __future__ import annotations

import asyncio
import gc

import pytest
from redis.asyncio import Redis

from broker_worker.gateway.waiting import IMPATIENT, Patience
from broker_worker.single_flight import FreshFlight, SingleFlight
from shared.contract import OPERATIONS, Effect
from shared.contract.accounts import AccountTools
from shared.contract.orders import OrderTools
from shared.envelope import Envelope
from shared.errors import GatewayRefused
from shared.queue.job import Job
from shared.queue.sharing import share_key
from tests.queue.house import KEYS, READ, SHARED, Desk, asking, leading


async def test_the_second_who_asks_is_answered_without_the_worker(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as one, asking(valkey) as other:
        first = await one.ask(SHARED)
        assert await other.ask(SHARED, caller="bob") == first
        assert len(worker.desk.begun) == 1


async def test_a_different_question_is_a_different_answer(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker:
        await asker.ask(SHARED, arguments={"pattern": "AAPL"})
        await asker.ask(SHARED, arguments={"pattern": "AAPL "})
        assert len(worker.desk.begun) == 2


async def test_a_shared_answer_expires(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        await asker.ask(SHARED)
        key = share_key(KEYS, OPERATIONS[SHARED], {"pattern": "AAPL"}, authenticated=False)
        assert 0 < await admin.pttl(key) <= 60_000
        await admin.pexpire(key, 1)
        while await admin.exists(key):  # noqa: ASYNC110 - expiry sends no event
            await asyncio.sleep(0)
        await asker.ask(SHARED)
        assert len(worker.desk.begun) == 2


async def test_what_somebody_known_was_told_is_not_told_to_somebody_unknown(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker:
        for authenticated in (True, False, True, False):
            await asker.ask(SHARED, authenticated=authenticated)
        assert [envelope.authenticated for envelope in worker.desk.begun] == [True, False]


async def test_an_error_is_never_shared(valkey: str) -> None:
    async def refuse(_: Envelope, __: Job) -> None:
        raise GatewayRefused("not today")

    async with leading(valkey, Desk(refuse)) as worker, asking(valkey) as asker:
        for _ in range(2):
            with pytest.raises(GatewayRefused):
                await asker.ask(SHARED)
        assert len(worker.desk.begun) == 2


async def test_the_same_question_about_an_account_is_asked_anew_each_time(valkey: str) -> None:
    async with leading(valkey) as worker, asking(valkey) as asker, Redis.from_url(valkey) as admin:
        await asker.ask(READ)
        await asker.ask(READ)
        assert len(worker.desk.begun) == 2
        assert not [key async for key in admin.scan_iter(KEYS.shared_answer("*"))]


def test_nothing_about_accounts_positions_and_orders_may_be_shared() -> None:
    private = [one for one in OPERATIONS.values() if one.toolset in {AccountTools, OrderTools}]
    assert len(private) >= 7
    for operation in private:
        assert operation.marker.share_for == 0
        assert share_key(KEYS, operation, {"account": "DU1"}, authenticated=True) == ""
    for operation in OPERATIONS.values():
        assert operation.marker.effect is Effect.READS or operation.marker.share_for == 0


def test_what_is_shared_between_callers_depends_on_no_account() -> None:
    shared = [operation for operation in OPERATIONS.values() if operation.marker.share_for]
    assert shared
    for operation in shared:
        assert not {"account", "order_id", "client_order_id"} & operation.input_schema["properties"].keys()


async def test_identical_questions_in_flight_are_one_request_to_the_gateway() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    asked, answer = 0, asyncio.Event()

    async def ask_the_gateway(_: Patience) -> int:
        nonlocal asked
        asked += 1
        await answer.wait()
        return 42

    askers = [asyncio.create_task(flights.do("same", IMPATIENT, ask_the_gateway)) for _ in range(50)]
    other = asyncio.create_task(flights.do("different", IMPATIENT, ask_the_gateway))
    await asyncio.sleep(0)
    askers[0].cancel()
    answer.set()
    assert await asyncio.gather(*askers[1:], other) == [42] * 50
    assert asked == 2
    assert not flights._flights, "nothing is kept of what has landed"


async def test_everybody_who_waits_for_a_shared_request_hears_how_it_goes_and_nobody_who_left() -> None:
    flights: SingleFlight[str, None] = SingleFlight()
    heard: dict[str, list[str]] = {"first": [], "second": [], "left": []}
    go_on = asyncio.Event()

    def asker(name: str) -> Patience:
        async def listen(text: str) -> None:
            heard[name].append(text)

        return Patience(float("inf"), listen)

    async def work(shared: Patience) -> None:
        await shared.say("begun")
        await go_on.wait()
        await shared.say("nearly there")

    asking = {name: asyncio.create_task(flights.do("same", asker(name), work)) for name in heard}
    await asyncio.sleep(0)
    asking.pop("left").cancel()
    go_on.set()
    await asyncio.gather(*asking.values())
    assert heard["first"] == heard["second"] == ["begun", "nearly there"]
    assert "nearly there" not in heard["left"]


async def test_what_fails_after_every_asker_has_left_is_no_defect() -> None:
    begun, fail = asyncio.Event(), asyncio.Event()
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))

    async def work() -> None:
        begun.set()
        await fail.wait()
        raise GatewayRefused("not today")

    flight = FreshFlight(work)
    asking = asyncio.create_task(flight.do())
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    fail.set()
    del asking
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    assert complaints == []
