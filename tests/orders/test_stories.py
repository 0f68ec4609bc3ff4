"""get_order and wait_for_order: by every name, of whom, at once when it is over, in time when it is not."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from decimal import Decimal

import pytest

from broker_worker.orders import placing
from shared.contract.order_records import MOST_WAITED
from shared.errors import InvalidArgument
from shared.order_records import KEEP_MS, foreign_key, order_key
from tests.worker.harness import Bridge, eventually, until

from .front_desk import FrontDesk

SEVEN_DAYS_MS = 7 * 24 * 3600 * 1000
KEY = order_key("local", "k")


async def test_a_story_tells_terms_fills_and_history(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    placed = await desk.place("k")
    bridge.control.fill_order(placed["perm_id"], Decimal(99), Decimal(4))
    bridge.control.fill_order(placed["perm_id"], Decimal(100))
    told = await eventually(
        lambda: desk.story("k"), lambda seen: [fill["commission"] for fill in seen["fills"]] == [1, 1]
    )
    assert (told["state"], told["status"], told["filled"], told["remaining"]) == ("FILLED", "Filled", 10, 0)
    assert told["avg_fill_price"] == 99.6
    assert [(fill["quantity"], fill["price"]) for fill in told["fills"]] == [(4, 99), (6, 100)]
    assert (told["symbol"], told["account"], told["order_type"], told["limit_price"]) == (
        "AAPL",
        "DU1234567",
        "LMT",
        100,
    )
    events = [event["event"] for event in told["history"]]
    assert events[:2] == ["asked for", "begun"]
    assert events[-1] == "Filled, 10 filled"
    assert told["history"][0]["detail"] == "by local: place_limit_order"
    times = [datetime.fromisoformat(event["at"]) for event in told["history"]]  # as text, whole seconds sort last
    assert times == sorted(times)


async def test_an_order_is_found_by_every_name_it_has_also_while_the_worker_is_down(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    placed = await desk.place("k")
    await bridge.stop_worker()
    for handle in ("k", f"perm:{placed['perm_id']}", f"PERM: {placed['perm_id']}", str(placed["order_id"]), KEY):
        told = await desk.story(handle)
        assert (told["perm_id"], told["client_order_id"], told["state"]) == (placed["perm_id"], "k", "WORKING")


@pytest.mark.parametrize("handle", ["no-such", "99999", "perm:99999", "mcp-" + "a" * 26])
async def test_an_order_that_nobody_placed_is_not_found(bridge: Bridge, handle: str) -> None:
    told = await FrontDesk(bridge).story(handle)
    assert (told["status"], told["state"], told["may_resubmit"]) == ("NOT_FOUND", None, False)
    assert handle in told["message"]


async def test_another_callers_name_names_nothing_and_its_permanent_id_does(bridge: Bridge) -> None:
    placed = await FrontDesk(bridge).place("k")
    other = FrontDesk(bridge, caller="somebody else")
    assert (await other.story("k"))["status"] == "NOT_FOUND"
    assert (await other.story(f"perm:{placed['perm_id']}"))["client_order_id"] == "k"


async def test_a_number_that_two_orders_had_is_refused_with_both_named(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    placed = await desk.place("k")
    other = await desk.place("k-2", limit_price=99)
    await bridge.redis.sadd(bridge.keys.order_named(f"id:{placed['order_id']}"), order_key("local", "k-2"))
    with pytest.raises(InvalidArgument) as refused:
        await desk.story(str(placed["order_id"]))
    assert f"perm:{placed['perm_id']}" in refused.value.fact
    assert f"perm:{other['perm_id']}" in refused.value.fact


async def test_waiting_ends_when_the_order_does_and_tells_how_it_goes(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    placed = await desk.place("k")
    waiting = asyncio.create_task(desk.ask("wait_for_order", order="k"))
    await until(lambda: bool(desk.said))
    assert desk.said == ["the order is Submitted"]
    bridge.control.fill_order(placed["perm_id"], Decimal(100))
    told = await asyncio.wait_for(waiting, 10)
    assert (told["state"], told["filled"]) == ("FILLED", 10)


@pytest.mark.parametrize("end", ["over", "not found"])
async def test_what_is_over_is_told_at_once(bridge: Bridge, end: str) -> None:
    desk = FrontDesk(bridge)
    if end == "over":
        await desk.place("k")
        await desk.ask("cancel_order", order_id="k")
        await eventually(lambda: desk.story("k"), lambda told: told["state"] == "CANCELLED")
    desk.said.clear()
    told = await desk.ask("wait_for_order", order="k")
    assert told["status"] == ("Cancelled" if end == "over" else "NOT_FOUND")
    assert desk.said == []


async def test_waiting_ends_with_its_time_and_the_order_works_on(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    await desk.place("k")
    started = time.monotonic()
    told = await desk.ask("wait_for_order", order="k", timeout=1)
    assert time.monotonic() - started >= 1
    assert told["state"] == "WORKING"


async def test_nobody_may_wait_longer_than_a_call_is_answered(bridge: Bridge) -> None:
    assert MOST_WAITED < 25
    desk = FrontDesk(bridge)
    for timeout in (0, MOST_WAITED + 1, "soon"):
        with pytest.raises(InvalidArgument, match="timeout"):
            await desk.ask("wait_for_order", order="k", timeout=timeout)


async def test_who_stops_waiting_leaves_nothing_behind(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    await desk.place("k")
    waiting = asyncio.create_task(desk.ask("wait_for_order", order="k"))
    await until(lambda: bool(desk.said))
    before = asyncio.all_tasks() - {waiting}
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert {task for task in asyncio.all_tasks() if "wait_for" in repr(task)} <= before
    assert (await desk.story("k"))["state"] == "WORKING"


async def test_an_order_entered_by_hand_has_a_story_too(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    perm_id = bridge.control.add_manual_order("AAPL", "BUY", Decimal(10), limit_price=Decimal(100))
    await bridge.call("get_orders")
    told = await eventually(lambda: desk.story(f"perm:{perm_id}"), lambda seen: seen["state"] == "WORKING")
    assert (told["client_order_id"], told["order_id"], told["quantity"]) == (None, None, 10)
    ours = await desk.place("k")  # the same terms: no duplicate of a person's order, and another order
    assert ours["state"] == "WORKING"
    assert ours["perm_id"] != perm_id
    bridge.control.cancel_order(perm_id)
    await bridge.call("get_orders")  # the gateway tells of others' orders only when asked
    await eventually(lambda: desk.story(f"perm:{perm_id}"), lambda seen: seen["state"] == "CANCELLED")
    assert (await desk.story("k"))["state"] == "WORKING"
    assert await bridge.redis.pttl(bridge.keys.order(foreign_key(perm_id))) > SEVEN_DAYS_MS


async def test_a_record_is_kept_for_ever_while_its_order_lives_and_for_a_week_from_its_end(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    placed = await desk.place("k")
    keys = bridge.keys
    names = [keys.order(KEY), keys.order_history(KEY), keys.order_named(f"perm:{placed['perm_id']}")]
    for name in names:
        await eventually(lambda name=name: bridge.redis.pttl(name), lambda left: left == -1)  # type: ignore[misc]
    await desk.ask("cancel_order", order_id="k")
    for name in names:
        left = await eventually(lambda name=name: bridge.redis.pttl(name), lambda left: left > 0)  # type: ignore[misc]
        assert SEVEN_DAYS_MS < left <= KEEP_MS
    assert await bridge.redis.smembers(keys.orders_open) == set()


async def test_an_order_that_the_gateway_brings_back_is_kept_again(bridge: Bridge) -> None:
    """Concluded to be refused, it was given a week to live; the gateway then says that it works."""
    desk = FrontDesk(bridge)
    placed = await desk.place("k")
    bridge.control.send_notice(201, "Order rejected - reason:No.", req_id=placed["order_id"])
    await eventually(lambda: bridge.redis.pttl(bridge.keys.order(KEY)), lambda left: left > 0)
    assert (await bridge.worker.sent_file.get(KEY)) is not None
    await bridge.call("get_orders")  # the gateway shows it as working
    await eventually(lambda: bridge.redis.pttl(bridge.keys.order(KEY)), lambda left: left == -1)
    await eventually(lambda: bridge.worker.sent_file.get(KEY), lambda row: row is not None and row.end is None)
    assert (await desk.story("k"))["state"] == "WORKING"


async def test_an_order_that_was_never_sent_is_kept_for_a_week_too(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    with pytest.raises(InvalidArgument):
        await desk.place("k", limit_price="100.001")
    assert SEVEN_DAYS_MS < await bridge.redis.pttl(bridge.keys.order(KEY)) <= KEEP_MS


async def test_a_fill_after_the_cancellation_comes_into_the_story(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    placed = await desk.place("k")
    await desk.ask("cancel_order", order_id="k")
    await eventually(lambda: desk.story("k"), lambda told: told["state"] == "CANCELLED")
    book = bridge.worker.recorder._book
    book.on_status(placed["order_id"], "Filled", 10.0, 0.0, 99.0, placed["perm_id"], 1)
    told = await eventually(lambda: desk.story("k"), lambda seen: seen["state"] == "FILLED")
    assert (told["filled"], told["may_resubmit"]) == (10, False)
    assert [event["event"] for event in told["history"]][-2:] == ["Cancelled", "Filled, 10 filled"]


@pytest.mark.parametrize("why", ["duplicate", "unknown fate"])
async def test_an_order_held_back_is_told_of_as_it_was_answered(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "ACKNOWLEDGE_SECONDS", 0.1)
    async with Bridge(duplicate_window_seconds=600) as bridge:
        desk = FrontDesk(bridge)
        if why == "unknown fate":
            bridge.control.swallow_next_order()
        await desk.place("k")
        in_the_way = "UNKNOWN" if why == "unknown fate" else "WORKING"
        first = await eventually(lambda: desk.story("k"), lambda told: told["state"] == in_the_way)
        answer = await desk.place("l", limit_price=100 if why == "duplicate" else 101)
        told = await desk.story("l")
        assert (answer["state"], told["state"], told["may_resubmit"]) == ("REJECTED", "REJECTED", False)
        assert (told["account"], told["con_id"]) == (answer["account"], answer["con_id"])
        handle = f"perm:{first['perm_id']}" if first["perm_id"] else "k"
        for said in ("message", "next_step"):
            assert handle in answer[said]
            assert told[said] == answer[said].replace(f" {handle}", f" {KEY}").replace(f"={handle}", f"={KEY}")
        assert (await desk.story(KEY))["client_order_id"] == "k", "what it names can be asked for"
