"""The same order under another name: held back while the first is young or in doubt, unless the first is named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from broker_worker.orders import placing
from shared.contract.orders import OrderResult, OrderState
from shared.errors import InvalidArgument

from .harness import Bridge, eventually, quiet_gateway, until

LIMIT: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 10, "limit_price": 100}


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    """A worker with the usual window of ten minutes, and two accounts."""
    gateway = quiet_gateway(accounts=("DU1111111", "DU2222222"))
    async with Bridge(gateway, duplicate_window_seconds=600) as opened:
        yield opened


async def place(bridge: Bridge, name: str, **changes: Any) -> OrderResult:
    order = LIMIT | {"account": "DU1111111", "client_order_id": name} | changes
    return await bridge.call("place_limit_order", **order)


async def recorded(bridge: Bridge, key: str, field: str, value: bytes) -> None:
    """Wait until an order's record says so: it is written behind the answer."""
    await eventually(lambda: bridge.redis.hget(bridge.keys.order(key), field), lambda found: bool(found == value))


async def age(bridge: Bridge, answer: OrderResult, seconds: float) -> None:
    """Let an order have been begun so long ago."""
    order = next(view for view in bridge.control.orders() if view.perm_id == answer.perm_id)
    record = bridge.keys.order(order.order_ref)
    begun = int(await bridge.redis.hget(record, "begun_ms")) - int(seconds * 1000)
    await bridge.redis.hset(record, "begun_ms", begun)
    like = bridge.keys.order_like((await bridge.redis.hget(record, "fingerprint")).decode())
    await bridge.redis.zadd(like, {order.order_ref: begun})


async def test_the_same_order_under_another_name_is_held_back_and_the_first_is_named(bridge: Bridge) -> None:
    first = await place(bridge, "a")
    second = await place(bridge, "b")
    assert (second.status, second.state, second.may_resubmit) == ("REJECTED", OrderState.REJECTED, False)
    assert second.message is not None
    assert f"perm:{first.perm_id}" in second.message
    assert f"repeat_of=perm:{first.perm_id}" in second.next_step
    assert len(bridge.placed()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"account": "DU2222222"},
        {"action": "SELL"},
        {"quantity": 11},
        {"limit_price": 101},
        {"tif": "GTC"},
        {"outside_rth": True},
        {"symbol": "IBM"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_another_order_is_no_duplicate(bridge: Bridge, change: dict[str, Any]) -> None:
    await place(bridge, "a")
    assert (await place(bridge, "b", **change)).state in {OrderState.WORKING, OrderState.FILLED}
    assert len(bridge.placed()) == 2


async def test_the_duplicate_of_another_caller_is_held_back_too(bridge: Bridge) -> None:
    first = await place(bridge, "a", caller="one")
    second = await place(bridge, "a", caller="two")
    assert second.state is OrderState.REJECTED
    again = await place(bridge, "a", caller="two", repeat_of=f"perm:{first.perm_id}")
    assert again.state is OrderState.WORKING
    assert len(bridge.placed()) == 2


@pytest.mark.parametrize(("seconds", "state"), [(599.0, OrderState.REJECTED), (601.0, OrderState.WORKING)])
async def test_the_window_ends_after_ten_minutes(bridge: Bridge, seconds: float, state: OrderState) -> None:
    first = await place(bridge, "a")
    await age(bridge, first, seconds)
    assert (await place(bridge, "b")).state is state


async def test_naming_the_first_places_a_second_and_the_name_then_keeps_its_answer(bridge: Bridge) -> None:
    first = await place(bridge, "a")
    assert (await place(bridge, "b")).state is OrderState.REJECTED
    second = await place(bridge, "b", repeat_of=f"perm:{first.perm_id}")
    assert second.state is OrderState.WORKING
    assert second.perm_id != first.perm_id
    assert (await place(bridge, "b", repeat_of=f"perm:{first.perm_id}")).perm_id == second.perm_id
    assert (await place(bridge, "b")).perm_id == second.perm_id
    assert len(bridge.placed()) == 2


async def test_a_third_is_held_back_until_the_newest_is_named(bridge: Bridge) -> None:
    first = await place(bridge, "a")
    second = await place(bridge, "b", repeat_of="a")
    third = await place(bridge, "c", repeat_of="a")  # knows nothing of the second
    assert third.state is OrderState.REJECTED
    assert third.message is not None
    assert f"perm:{second.perm_id}" in third.message
    assert (await place(bridge, "c", repeat_of="b")).state is OrderState.WORKING
    assert len(bridge.placed()) == 3
    assert first.state is OrderState.WORKING


async def test_an_older_equal_order_counts_where_the_newest_no_longer_does(bridge: Bridge) -> None:
    """Only the newest used to be remembered: its end let a third order pass beside the first."""
    await place(bridge, "a")
    await place(bridge, "b", repeat_of="a")
    await bridge.call("cancel_order", order_id="b")
    await recorded(bridge, bridge.placed()[1].order_ref, "may_resubmit", b"1")
    third = await place(bridge, "c")
    assert third.state is OrderState.REJECTED
    assert len(bridge.placed()) == 2


async def test_naming_an_order_with_other_terms_overrides_nothing(bridge: Bridge) -> None:
    await place(bridge, "a")
    await place(bridge, "other", quantity=3)
    assert (await place(bridge, "b", repeat_of="other")).state is OrderState.REJECTED
    with pytest.raises(InvalidArgument, match="repeat_of"):
        await place(bridge, "b", repeat_of="no-such-order")
    assert len(bridge.placed()) == 2


@pytest.mark.parametrize("end", ["cancelled", "refused"])
async def test_an_order_that_ended_without_a_fill_is_no_first(bridge: Bridge, end: str) -> None:
    if end == "refused":
        bridge.control.refuse_next_order(201, "Order rejected - reason:No.")
    await place(bridge, "a")
    if end == "cancelled":
        await bridge.call("cancel_order", order_id="a")
    await recorded(bridge, bridge.placed()[0].order_ref, "may_resubmit", b"1")
    assert (await place(bridge, "b")).state is OrderState.WORKING


async def test_an_order_that_filled_in_part_before_it_was_cancelled_is_a_first(bridge: Bridge) -> None:
    first = await place(bridge, "a")
    assert first.perm_id is not None
    bridge.control.fill_order(first.perm_id, Decimal(99), Decimal(4))
    await bridge.call("cancel_order", order_id="a")
    assert (await place(bridge, "b")).state is OrderState.REJECTED


async def test_a_pending_order_holds_its_like_back_however_old_it_is(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "ACKNOWLEDGE_SECONDS", 30)
    await place(bridge, "earlier", quantity=1)  # the contract is known
    bridge.control.mute()
    asking = asyncio.create_task(place(bridge, "a"))
    await until(lambda: len(bridge.placed()) == 2)
    ref = bridge.placed()[1].order_ref
    record = bridge.keys.order(ref)
    await bridge.redis.hset(record, "begun_ms", 1)
    like = bridge.keys.order_like((await bridge.redis.hget(record, "fingerprint")).decode())
    await bridge.redis.zadd(like, {ref: 1})
    second = await place(bridge, "b")
    assert second.state is OrderState.REJECTED
    assert second.message is not None
    assert second.message.endswith(" a"), "not acknowledged, it has no permanent id; its caller's name for it"
    of_another = await place(bridge, "b", caller="somebody else")
    assert of_another.message is not None
    assert of_another.message.endswith(ref), "another caller can only name it by its key"
    meant = asyncio.create_task(place(bridge, "b", caller="somebody else", repeat_of=ref))
    await until(lambda: len(bridge.placed()) == 3)
    bridge.control.unmute()
    bridge.control.drop_links()
    told = {(await asking).state, (await meant).state}
    assert told <= {OrderState.WORKING, OrderState.UNKNOWN}, "found again by the next connection, or just before"


async def test_an_unknown_order_holds_back_all_in_its_account_and_contract_and_naming_it_helps_nothing(
    bridge: Bridge,
) -> None:
    bridge.control.swallow_next_order()
    asking = asyncio.create_task(place(bridge, "a"))
    await until(lambda: bridge.control.faults().swallow_orders == 0)
    bridge.control.drop_links()
    assert (await asking).state is OrderState.UNKNOWN
    await bridge.ready()
    for order in ({}, {"repeat_of": "a"}, {"limit_price": 99}):
        answer = await place(bridge, "b" if "limit_price" not in order else "c", **order)
        assert answer.state is OrderState.REJECTED
        assert answer.message is not None
        assert answer.message.endswith(" a in the same account and contract is unknown")
        assert "resolve" in answer.next_step
    assert (await place(bridge, "d", account="DU2222222")).state is OrderState.WORKING
    assert (await place(bridge, "e", symbol="IBM")).state is OrderState.WORKING
    assert len(bridge.placed()) == 2
