"""One name, one answer: what a repeat of a call may still change, and what nobody is told otherwise again."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from broker_worker.orders.journal import Begun, Journal
from broker_worker.orders.recording import Recorder
from broker_worker.orders.sending import Sender
from shared import clock
from shared.errors import InvalidArgument, KeyReused, Unavailable, WorkerDown
from shared.order_records import Stage, order_key
from tests.worker.harness import Bridge, eventually

from .front_desk import LIMIT, FrontDesk

KEY = order_key("local", "k")


async def enter(desk: FrontDesk, seconds: float, name: str = "k") -> None:
    """What a frontend notes before it queues an order."""
    await desk.records.enter(
        order_key("local", name),
        caller="local",
        client_order_id=name,
        operation="place_limit_order",
        arguments=LIMIT | {"client_order_id": name},
        deadline_ms=int((clock.now() + timedelta(seconds=seconds)).timestamp() * 1000),
    )


async def test_what_was_told_to_be_expired_stays_expired_and_another_name_is_free(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = FrontDesk(bridge)
    await bridge.stop_worker()
    await bridge.redis.set(bridge.keys.heartbeat, "1", px=60_000)
    with monkeypatch.context() as patch:
        patch.setattr("mcp_frontend.calls.PATIENCE", 1.3)
        first = await desk.place("k")
    assert (first["state"], first["may_resubmit"]) == ("EXPIRED", True)
    assert "new client_order_id" in first["next_step"]
    await bridge.start_worker()
    again = await desk.place("k")
    assert (again["state"], again["may_resubmit"], bridge.placed()) == ("EXPIRED", True, [])
    assert (await desk.story("k"))["state"] == "EXPIRED"
    assert (await desk.place("k-2"))["state"] == "WORKING"


async def test_a_repeat_gives_a_waiting_order_more_time(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    await enter(desk, 5)
    before = int(await desk.field("k", "deadline_ms") or 0)
    await enter(desk, 20)
    assert int(await desk.field("k", "deadline_ms") or 0) >= before + 14_000
    await enter(desk, 1)
    assert int(await desk.field("k", "deadline_ms") or 0) >= before + 14_000, "and never takes it away"


async def test_a_repeat_brings_nothing_back_whose_deadline_passed_whoever_was_told(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    await enter(desk, 0)
    assert (await desk.story("k"))["state"] == "EXPIRED"  # told
    await enter(desk, 20)
    assert await desk.field("k", "stage") == Stage.UNSENT
    assert (await desk.place("k"))["state"] == "EXPIRED"
    assert bridge.placed() == []


async def test_a_withdrawn_call_ends_the_order_for_its_repeats_that_still_wait(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    await enter(desk, 5)
    await enter(desk, 20)  # the repeat
    assert await desk.records.leave(KEY, "the first call was withdrawn", ended=True)
    answer = await bridge.call("place_limit_order", **LIMIT, client_order_id="k")  # the repeat's job
    assert (answer.state, answer.may_resubmit, bridge.placed()) == ("EXPIRED", True, [])


async def test_after_an_error_the_same_call_may_be_made_again(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    await bridge.stop_worker()
    with pytest.raises(WorkerDown):
        await desk.place("k")
    told = await desk.story("k")
    assert (told["state"], told["may_resubmit"]) == ("REJECTED", True)
    assert "same call again" in told["next_step"]
    await bridge.start_worker()
    assert (await desk.place("k"))["state"] == "WORKING"
    assert [event["event"] for event in (await desk.story("k"))["history"]][:4] == [
        "asked for",
        "never sent",
        "asked for",
        "begun",
    ]
    assert len(bridge.placed()) == 1


async def test_a_wrong_order_may_be_corrected_under_its_name(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    with pytest.raises(InvalidArgument, match="tick"):
        await desk.place("k", limit_price="100.001")
    assert "off the tick" in (await desk.story("k"))["message"]
    assert (await desk.place("k"))["state"] == "WORKING"
    assert (await desk.story("k"))["limit_price"] == 100


async def test_an_error_of_one_call_says_nothing_of_another_that_waits(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    await enter(desk, 20)
    await enter(desk, 20)
    assert not await desk.records.leave(KEY, "the second call was refused", ended=False)
    assert (await desk.story("k"))["state"] == "PENDING"
    assert await desk.records.leave(KEY, "the first one too", ended=False)
    assert (await desk.story("k"))["state"] == "REJECTED"


async def test_another_order_under_a_working_name_leaves_its_record_alone(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    await desk.place("k")
    with pytest.raises(KeyReused):
        await desk.place("k", quantity=11)
    told = await desk.story("k")
    assert (told["state"], told["quantity"]) == ("WORKING", 10)


@pytest.mark.parametrize("patience", [0.3, 5.0], ids=["its deadline", "the gateway's limit"])
async def test_a_time_out_while_the_contract_is_looked_up_is_certainly_not_sent(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    monkeypatch.setattr("mcp_frontend.calls.PATIENCE", 1 + patience)
    monkeypatch.setattr("broker_worker.contracts.SECONDS", 0.6)
    desk = FrontDesk(bridge)
    bridge.control.mute()
    answer = await desk.place("k")
    assert (answer["state"], answer["may_resubmit"]) == ("EXPIRED", True)
    assert await desk.field("k", "stage") == Stage.UNSENT
    bridge.control.unmute()
    assert (await desk.place("k"))["state"] == "EXPIRED"
    assert bridge.placed() == []


async def test_an_order_closed_by_a_time_out_cannot_be_begun_by_the_task_that_goes_on(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task that sends an order is not the caller's: it may reach BEGIN after its caller was told EXPIRED."""
    held, reached = asyncio.Event(), asyncio.Event()
    send = Sender.send

    async def later(*arguments: Any) -> Any:
        reached.set()
        await held.wait()
        return await send(*arguments)

    monkeypatch.setattr(Sender, "send", later)
    monkeypatch.setattr("mcp_frontend.calls.PATIENCE", 1.5)
    desk = FrontDesk(bridge)
    answer = await desk.place("k")
    assert reached.is_set()
    assert (answer["state"], answer["may_resubmit"]) == ("EXPIRED", True)
    held.set()
    await bridge.worker.placer.drain(5)
    assert await desk.field("k", "stage") == Stage.UNSENT
    assert bridge.placed() == []


async def test_a_begin_that_is_carried_out_after_it_was_given_up_begins_nothing(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command hung on its way; meanwhile the caller was told that nothing was sent and may ask again."""
    desk = FrontDesk(bridge)
    await enter(desk, 20)
    seen: list[Any] = []

    async def remember(_: Journal, beginning: Any) -> tuple[Begun, str]:
        seen.append(beginning)
        return Begun.NOT_LEADER, ""

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "begin", remember)
        with pytest.raises(Unavailable):
            await bridge.call("place_limit_order", **LIMIT, client_order_id="k")
    journal = Journal(bridge.store(), bridge.keys, lambda: bridge.worker.lease.holder)
    await journal.prove_unsent(KEY, "given up", seen[0].attempt, Stage.HELD)
    assert (await journal.begin(seen[0]))[0] is Begun.CLOSED
    assert await desk.field("k", "stage") == Stage.HELD
    assert (await desk.place("k"))["state"] == "WORKING"
    assert len(bridge.placed()) == 1


async def test_what_a_worker_cannot_note_while_another_leads_it_logs_and_the_next_reconciliation_tells(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    desk = FrontDesk(bridge)
    placed = await desk.place("k")
    worker = bridge.worker
    record = worker.recorder._book.by_ref(KEY)
    assert record is not None
    another = Recorder(
        worker.recorder._book, Journal(bridge.store(), bridge.keys, lambda: "another:1"), worker.sent_file, worker.audit
    )
    bridge.control.fill_order(placed["perm_id"], Decimal(99), Decimal(4))
    await eventually(lambda: desk.story("k"), lambda told: told["filled"] == 4)
    with caplog.at_level(logging.WARNING):
        assert not await another.record(record, "PartiallyFilled")
    assert "another worker leads, so this is not noted" in caplog.text
    await bridge.redis.hset(bridge.keys.order(KEY), "state", "WORKING")  # as if the fenced word had been the only one
    await bridge.stop_worker()
    await bridge.start_worker()
    assert (await desk.story("k"))["filled"] == 4
    assert await desk.field("k", "state") == "PARTIALLY_FILLED"
