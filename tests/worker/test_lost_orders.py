"""Orders whose fate was in doubt: never sent twice, never called failed, found again where they can be."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from broker_worker.orders import placing
from broker_worker.orders.position_evidence import EXCHANGE_DAY
from shared import clock
from shared.contract.orders import OrderResult, OrderState
from shared.errors import InvalidArgument, Unavailable
from shared.order_records import order_key

from .harness import Bridge, eventually, until

LIMIT: dict[str, Any] = {
    "symbol": "AAPL",
    "action": "BUY",
    "quantity": 10,
    "limit_price": 100,
    "client_order_id": "k-1",
}

MARKET: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 2, "client_order_id": "m"}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer waits for the acknowledgement only for a moment."""
    monkeypatch.setattr(placing, "ACKNOWLEDGE_SECONDS", 0.3)


@pytest.mark.usefixtures("impatient")
async def test_an_order_that_is_not_acknowledged_is_pending_and_has_a_handle(bridge: Bridge) -> None:
    bridge.control.forget_next("place")
    answer = await bridge.call("place_limit_order", **LIMIT)
    assert (answer.status, answer.state) == ("PENDING", OrderState.PENDING)
    assert answer.order_id is not None
    assert answer.client_order_id == "k-1"
    assert answer.may_resubmit is False
    assert "same client_order_id" in answer.next_step
    assert answer.message is not None
    assert (answer.filled, answer.avg_fill_price) == (None, None)
    assert len(bridge.placed()) == 1


@pytest.mark.usefixtures("impatient")
async def test_asking_again_for_a_pending_order_sends_nothing(bridge: Bridge) -> None:
    bridge.control.forget_next("place")
    await bridge.call("place_limit_order", **LIMIT)
    again = await bridge.call("place_limit_order", **LIMIT)
    assert again.may_resubmit is False
    assert len(bridge.placed()) == 1


@pytest.mark.usefixtures("impatient")
async def test_a_pending_order_is_found_by_the_list_of_orders(bridge: Bridge) -> None:
    bridge.control.forget_next("place")
    await bridge.call("place_limit_order", **LIMIT)
    (row,) = (await bridge.call("get_orders")).items
    assert (row.client_order_id, row.state) == ("k-1", OrderState.WORKING)
    assert row.perm_id == bridge.control.orders()[0].perm_id
    assert (await bridge.call("place_limit_order", **LIMIT)).state is OrderState.WORKING


@pytest.mark.usefixtures("impatient")
async def test_a_swallowed_order_is_pending_until_the_gateway_shows_no_trace_of_it(bridge: Bridge) -> None:
    bridge.control.swallow_next_order()
    answer = await bridge.call("place_limit_order", **LIMIT)
    assert answer.state is OrderState.PENDING
    assert answer.may_resubmit is False
    found = await eventually(lambda: _again(bridge, LIMIT), lambda found: found.state is OrderState.UNKNOWN)
    assert found.may_resubmit is False
    assert bridge.placed() == []


@pytest.mark.usefixtures("impatient")
async def test_an_order_of_which_the_gateway_said_nothing_is_found_without_anybody_asking(bridge: Bridge) -> None:
    bridge.control.forget_next("place")
    assert (await bridge.call("place_limit_order", **LIMIT)).state is OrderState.PENDING
    record = bridge.keys.order(order_key("local", "k-1"))
    await eventually(lambda: bridge.redis.hget(record, "state"), lambda state: state == b"WORKING")


async def test_a_swallowed_order_on_a_dropped_link_is_unknown_and_never_sent_again(bridge: Bridge) -> None:
    bridge.control.swallow_next_order()
    asking = asyncio.create_task(bridge.call("place_limit_order", **LIMIT))
    await _sent(bridge)
    bridge.control.drop_links()
    answer = await asking
    assert (answer.status, answer.state) == ("UNKNOWN", OrderState.UNKNOWN)
    assert answer.may_resubmit is False
    assert "Do not place it again" in answer.next_step
    await bridge.ready()
    again = await bridge.call("place_limit_order", **LIMIT)
    assert again.state is OrderState.UNKNOWN
    await bridge.stop_worker()
    await bridge.start_worker()
    after = await bridge.call("place_limit_order", **LIMIT)
    assert (after.state, after.may_resubmit) == (OrderState.UNKNOWN, False)
    assert bridge.placed() == []


class _Shifted:
    """The machine's clock, moved."""

    def __init__(self, began: datetime) -> None:
        self.by = began - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.mark.usefixtures("impatient")
async def test_just_after_midnight_a_position_proves_nothing_of_an_order_that_may_still_arrive(bridge: Bridge) -> None:
    bridge.control.swallow_next_order()
    asking = asyncio.create_task(bridge.call("place_limit_order", **LIMIT))
    await until(lambda: bridge.control.faults().swallow_orders == 0)
    await bridge.stop_worker()
    await asyncio.gather(asking, return_exceptions=True)
    midnight = datetime.now(EXCHANGE_DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    begun = int((midnight - timedelta(seconds=2)).timestamp() * 1000)
    await bridge.redis.hset(bridge.keys.order(order_key("local", "k-1")), "begun_ms", begun)
    shifted = _Shifted(midnight + timedelta(seconds=30))
    with clock.by(shifted):
        await bridge.start_worker()
    early = await bridge.call("place_limit_order", **LIMIT)
    assert (early.state, early.may_resubmit) == (OrderState.UNKNOWN, False)
    shifted.by += timedelta(minutes=5)
    later = await eventually(lambda: _again(bridge, LIMIT), lambda found: found.state is not OrderState.UNKNOWN)
    assert (later.state, later.may_resubmit) == (OrderState.CANCELLED, True)
    assert bridge.placed() == []


async def test_an_order_is_adopted_after_the_link_was_cut_behind_it(bridge: Bridge) -> None:
    bridge.control.forget_next("place")
    asking = asyncio.create_task(bridge.call("place_limit_order", **LIMIT))
    await until(lambda: len(bridge.placed()) == 1)
    bridge.control.drop_links()
    answer = await asking
    assert answer.state is OrderState.WORKING
    assert answer.perm_id == bridge.control.orders()[0].perm_id
    assert len(bridge.placed()) == 1


@pytest.mark.usefixtures("impatient")
async def test_an_order_that_filled_while_nobody_looked_is_adopted_as_filled(bridge: Bridge) -> None:
    bridge.control.forget_next("place")
    await bridge.call("place_market_order", **MARKET)
    bridge.control.drop_links()
    answer = await eventually(lambda: _again(bridge, MARKET), lambda found: found.state is OrderState.FILLED)
    assert (answer.filled, answer.may_resubmit) == (2, False)
    assert answer.avg_fill_price is not None
    assert len(bridge.placed()) == 1


@pytest.mark.usefixtures("impatient")
async def test_a_worker_that_stops_behind_the_order_leaves_it_to_the_next_one(bridge: Bridge) -> None:
    bridge.control.forget_next("place")
    asking = asyncio.create_task(bridge.call("place_limit_order", **LIMIT))
    await until(lambda: len(bridge.placed()) == 1)
    await bridge.stop_worker()
    answered = await asking
    assert answered.may_resubmit is False
    await bridge.start_worker()
    answer = await bridge.call("place_limit_order", **LIMIT)
    assert answer.state is OrderState.WORKING
    assert len(bridge.placed()) == 1


async def test_a_deadline_that_has_passed_expires_the_order_unsent(bridge: Bridge) -> None:
    answer = await bridge.put(bridge.envelope("place_limit_order", arguments=LIMIT, deadline_ms=1_000))
    assert '"state":"EXPIRED"' in answer
    assert '"may_resubmit":true' in answer
    assert bridge.placed() == []
    # What was told to be over stays over; another name is free.
    again = await bridge.call("place_limit_order", **LIMIT)
    assert (again.state, again.may_resubmit, bridge.placed()) == (OrderState.EXPIRED, True, [])
    assert "new client_order_id" in again.next_step
    assert (await bridge.call("place_limit_order", **LIMIT | {"client_order_id": "k-2"})).state is OrderState.WORKING


async def test_a_query_whose_deadline_has_passed_is_not_begun(bridge: Bridge) -> None:
    answer = await bridge.put(bridge.envelope("get_orders", deadline_ms=1_000))
    assert '"code":"TIMEOUT"' in answer


async def test_a_cancel_whose_deadline_has_passed_is_not_begun(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    answer = await bridge.put(bridge.envelope("cancel_order", arguments={"order_id": "k-1"}, deadline_ms=1_000))
    assert '"code":"TIMEOUT"' in answer
    assert bridge.control.orders()[0].status == "Submitted"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("state", [OrderState.WORKING, OrderState.FILLED])
async def test_a_muted_gateway_leaves_the_order_in_doubt_until_it_speaks_again(
    bridge: Bridge, state: OrderState
) -> None:
    order = LIMIT if state is OrderState.WORKING else MARKET
    await bridge.call("get_stock_price", symbol="AAPL")  # the contract is known before the gateway goes mute
    bridge.control.mute()
    answer = await bridge.call(_tool(order), **order)
    assert (answer.state, answer.may_resubmit) == (OrderState.PENDING, False)
    bridge.control.unmute()
    bridge.control.drop_links()
    await eventually(lambda: _again(bridge, order), lambda found: found.state is state)
    assert len(bridge.placed()) == 1


def _tool(order: dict[str, Any]) -> Literal["place_limit_order", "place_market_order"]:
    return "place_limit_order" if "limit_price" in order else "place_market_order"


async def _again(bridge: Bridge, order: dict[str, Any]) -> OrderResult:
    """The same order's answer once the link serves again."""
    while True:
        try:
            return await bridge.call(_tool(order), **order)
        except Unavailable:
            await bridge.ready()


async def _sent(bridge: Bridge) -> None:
    """Wait until the order was written to the socket and the gateway has lost it."""
    await until(lambda: bridge.control.faults().swallow_orders == 0)


async def test_an_order_that_the_gateway_has_not_shown_is_not_modified_which_would_place_it(bridge: Bridge) -> None:
    bridge.control.swallow_next_order()
    asking = asyncio.create_task(bridge.call("place_limit_order", **LIMIT))
    await _sent(bridge)
    with pytest.raises(InvalidArgument, match="PENDING"):
        await bridge.text("modify_order", order="k-1", quantity=7)
    assert bridge.placed() == []
    asking.cancel()
