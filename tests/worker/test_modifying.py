"""Changing an order that works: what is sent, what is refused before it is, and what is told of it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from ib_async import IB, LimitOrder, Stock

from broker_worker.orders import changing
from shared.contract.orders import ModifyResult, OrderState
from shared.errors import GatewayUnavailable, InvalidArgument
from shared.order_records import OrderRecords, order_key

from .harness import Bridge, eventually, until

LIMIT: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 10, "limit_price": 100, "client_order_id": "k"}


def modifications(bridge: Bridge) -> list[Any]:
    return [entry for entry in bridge.control.ledger() if entry.kind == "modify"]


async def modify(bridge: Bridge, order: object = "k", **changes: Any) -> ModifyResult:
    return await bridge.call("modify_order", order=order, **changes)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"limit_price": "101.50"}, (10, Decimal("101.5"))),
        ({"quantity": 12}, (12, 100)),
        ({"quantity": "7", "limit_price": 99}, (7, 99)),
    ],
)
async def test_what_is_asked_is_changed_and_the_rest_stays(bridge: Bridge, change: dict[str, Any], told: Any) -> None:
    placed = await bridge.call("place_limit_order", **LIMIT, tif="GTC", outside_rth=True)
    answer = await modify(bridge, **change)
    assert (answer.state, answer.quantity, answer.limit_price) == (OrderState.WORKING, *told)
    assert (answer.order_id, answer.perm_id, answer.client_order_id) == (placed.order_id, placed.perm_id, "k")
    assert (answer.message, answer.changed) == (None, True)
    (entry,) = modifications(bridge)
    assert (entry.quantity, entry.limit_price, entry.tif, entry.account) == (*told, "GTC", "DU1234567")
    assert entry.order_ref == bridge.placed()[0].order_ref
    (row,) = (await bridge.call("get_orders")).items
    assert (row.total_quantity, row.limit_price, row.outside_rth) == (*told, True)
    assert len(bridge.placed()) == 1


async def test_a_stop_is_moved(bridge: Bridge) -> None:
    stop = {"symbol": "AAPL", "action": "SELL", "quantity": 10, "stop_price": 120, "client_order_id": "k"}
    await bridge.call("place_stop_order", **stop)
    answer = await modify(bridge, stop_price=121)
    assert (answer.stop_price, answer.limit_price, answer.status) == (121, None, "PreSubmitted")


@pytest.mark.parametrize("by", ["number", "perm", "name"])
async def test_an_order_is_found_by_every_name_it_has(bridge: Bridge, by: str) -> None:
    placed = await bridge.call("place_limit_order", **LIMIT)
    handle = {"number": placed.order_id, "perm": f"perm:{placed.perm_id}", "name": "k"}[by]
    assert (await modify(bridge, handle, quantity=9)).quantity == 9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "nothing is to be changed"),
        ({"quantity": 10}, "like that already"),
        ({"limit_price": "100.00", "quantity": "10"}, "like that already"),
        ({"stop_price": 90}, "has no stop price"),
        ({"limit_price": "100.001"}, r"use 100 or 100\.01"),
        ({"quantity": "1.5"}, "whole"),
        ({"quantity": 0}, "greater than 0"),
        ({"quantity": -1}, "greater than 0"),
        ({"limit_price": "NaN"}, "limit_price"),
    ],
)
async def test_a_change_that_cannot_be_is_refused_before_it_is_sent(
    bridge: Bridge, change: dict[str, Any], words: str
) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    with pytest.raises(InvalidArgument, match=words):
        await modify(bridge, **change)
    assert modifications(bridge) == []
    assert (bridge.control.orders()[0].quantity, bridge.control.orders()[0].limit_price) == (10, 100)


async def test_a_market_order_has_no_limit_to_change(bridge: Bridge) -> None:
    bridge.control.hold_fills()
    await bridge.call("place_market_order", symbol="AAPL", action="BUY", quantity=10, client_order_id="k")
    with pytest.raises(InvalidArgument, match="a MKT order has no limit price"):
        await modify(bridge, limit_price=100)
    assert modifications(bridge) == []


@pytest.mark.parametrize("handle", ["no-such", "99999", "perm:99999"])
async def test_an_order_that_is_not_there_cannot_be_changed(bridge: Bridge, handle: str) -> None:
    with pytest.raises(InvalidArgument, match=f"no order {handle}"):
        await modify(bridge, handle, quantity=1)


async def test_the_name_of_another_callers_order_names_nothing(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    with pytest.raises(InvalidArgument, match="no order k"):
        await modify(bridge, quantity=1, caller="somebody else")
    assert modifications(bridge) == []


@pytest.mark.parametrize("end", ["filled", "cancelled", "cancelled at the exchange", "refused"])
async def test_an_order_that_is_over_cannot_be_changed(bridge: Bridge, end: str) -> None:
    if end == "refused":
        bridge.control.refuse_next_order(201, "Order rejected - reason:No.")
    placed = await bridge.call("place_limit_order", **LIMIT)
    if end == "filled":
        bridge.control.fill_order(placed.perm_id or 0, Decimal(100))
    if end == "cancelled":
        await bridge.call("cancel_order", order_id="k")
    if end == "cancelled at the exchange":
        bridge.control.cancel_order(placed.perm_id or 0)
    await eventually(lambda: bridge.call("get_orders"), lambda found: not found.items or found.items[0].state.final)
    with pytest.raises(InvalidArgument, match="cannot be modified: it is"):
        await modify(bridge, quantity=11)
    assert modifications(bridge) == []


async def test_an_order_that_is_cancelled_meanwhile_is_told_as_cancelled_and_not_revived(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing, "CONFIRM_SECONDS", 1.0)
    placed = await bridge.call("place_limit_order", **LIMIT)
    bridge.control.slow_down(0.3)  # the word of the cancellation is under way while the change is asked for
    bridge.control.cancel_order(placed.perm_id or 0, "Cancelled by the exchange")
    answer = await modify(bridge, quantity=11)
    assert answer.state is OrderState.CANCELLED
    assert answer.message is not None
    assert [view.status for view in bridge.control.orders()] == ["Cancelled"]
    assert len(bridge.placed()) == 1


async def test_the_quantity_cannot_fall_to_what_has_filled(bridge: Bridge) -> None:
    placed = await bridge.call("place_limit_order", **LIMIT)
    bridge.control.fill_order(placed.perm_id or 0, Decimal(99), Decimal(4))
    await eventually(lambda: bridge.call("get_orders"), lambda found: found.items[0].filled == 4)
    for quantity in (3, 4):
        with pytest.raises(InvalidArgument, match="more than what has filled"):
            await modify(bridge, quantity=quantity)
    answer = await modify(bridge, quantity=5)
    assert (answer.quantity, answer.filled, answer.state) == (5, 4, OrderState.PARTIALLY_FILLED)


async def test_anothers_order_is_left_alone(bridge: Bridge) -> None:
    perm_id = bridge.control.add_manual_order("MSFT", "BUY", Decimal(2), limit_price=Decimal(300))
    other = IB()
    await other.connectAsync("127.0.0.1", bridge.gateway.port, clientId=7)
    try:
        theirs = LimitOrder("BUY", 3, 90, account="DU1234567", tif="DAY")
        other.placeOrder(Stock("IBM", "SMART", "USD"), theirs)
        await until(lambda: len(bridge.control.orders()) == 2)
        with pytest.raises(InvalidArgument, match="placed by a person in TWS"):
            await modify(bridge, f"perm:{perm_id}", quantity=1)
        with pytest.raises(InvalidArgument, match="placed by API client 7"):
            await modify(bridge, f"perm:{bridge.control.orders()[1].perm_id}", quantity=1)
    finally:
        other.disconnect()
    assert modifications(bridge) == []


async def test_the_gateways_refusal_is_told_and_the_order_works_on_unchanged(bridge: Bridge) -> None:
    placed = await bridge.call("place_limit_order", **LIMIT)
    bridge.control.slow_down(0.3)
    asking = asyncio.create_task(modify(bridge, limit_price=101))
    await until(lambda: bool(modifications(bridge)))
    bridge.control.send_notice(105, "Order being modified does not match original order", req_id=placed.order_id or 0)
    answer = await asking
    assert (answer.state, answer.may_resubmit) == (OrderState.WORKING, False)


TOO_MUCH = 500_000


async def test_a_refused_change_says_that_nothing_changed_each_time_it_is_asked_for(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    for _ in range(7):
        answer = await modify(bridge, quantity=TOO_MUCH)
        assert (answer.changed, answer.state, answer.quantity) == (False, OrderState.WORKING, 10)
        assert "gateway code 451" in (answer.message or "")
        assert "was not changed" in answer.next_step
    assert (await bridge.call("get_orders")).items[0].warnings == [], "a refused change says nothing about the order"


async def test_a_remark_is_no_answer_to_a_change(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "CONFIRM_SECONDS", 0.4)
    placed = await bridge.call("place_limit_order", **LIMIT)
    await modify(bridge, quantity=11)  # the contract is known now
    bridge.control.mute()
    asking = asyncio.create_task(modify(bridge, quantity=12))
    await until(lambda: len(modifications(bridge)) == 2)
    bridge.control.unmute()
    bridge.control.send_notice(399, "will not be placed until 09:30", req_id=placed.order_id or 0)
    answer = await asking
    assert (answer.changed, answer.message) == (None, "the modification was sent and is not confirmed yet")
    assert answer.warnings == ["will not be placed until 09:30 (gateway code 399)"]


async def test_an_earlier_refusal_is_not_told_as_that_of_a_change_under_way(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    assert (await modify(bridge, quantity=TOO_MUCH)).changed is False
    monkeypatch.setattr(changing, "CONFIRM_SECONDS", 0.2)
    bridge.control.mute("hold")
    answer = await modify(bridge, limit_price=101)
    bridge.control.unmute()
    assert (answer.changed, answer.limit_price) == (None, 100)
    assert "not confirmed yet" in (answer.message or "")
    assert "get_order" in answer.next_step


async def test_what_was_asked_of_an_order_stands_in_its_story(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    await modify(bridge, limit_price=101, quantity=12)
    await bridge.call("cancel_order", order_id="k")
    records = OrderRecords(bridge.store(), bridge.keys)
    history = await eventually(
        lambda: records.history(order_key("local", "k")),
        lambda found: "Cancelled" in [event.event for event in found],
    )
    told = [(event.event, event.detail) for event in history]
    assert ("modification sent", "quantity 10 to 12, limit price 100 to 101, by local") in told
    assert ("cancellation sent", "by local") in told


async def test_a_fill_before_a_change_stands_in_the_story_too(bridge: Bridge) -> None:
    placed = await bridge.call("place_limit_order", **LIMIT)
    async with bridge.worker.recorder._writing:  # the fill is heard and not yet written
        bridge.control.fill_order(placed.perm_id or 0, Decimal(100), Decimal(4))
        await until(lambda: bridge.worker.book.by_ref(order_key("local", "k")).filled == 4)  # type: ignore[union-attr]
        await modify(bridge, limit_price=101)
    records = OrderRecords(bridge.store(), bridge.keys)
    await eventually(
        lambda: records.history(order_key("local", "k")),
        lambda found: "Submitted, 4 filled" in [event.event for event in found],
    )


async def test_a_refusal_is_told_only_of_the_change_it_was_said_of(bridge: Bridge) -> None:
    """Two at once take turns, so that neither undoes the other nor hears the other's refusal."""
    await bridge.call("place_limit_order", **LIMIT)
    bridge.control.slow_down(0.2)
    refused, changed = await asyncio.gather(modify(bridge, quantity=TOO_MUCH), modify(bridge, limit_price=101))
    assert (refused.changed, changed.changed) == (False, True)
    (order,) = bridge.control.orders()
    assert (order.quantity, order.limit_price) == (10, 101)


async def test_the_late_refusal_of_an_earlier_change_is_no_refusal_of_this_one(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    await modify(bridge, quantity=11)
    monkeypatch.setattr(changing, "CONFIRM_SECONDS", 0.1)
    bridge.control.slow_down(0.4)
    assert (await modify(bridge, quantity=TOO_MUCH)).changed is None
    monkeypatch.setattr(changing, "CONFIRM_SECONDS", 5.0)
    assert (await modify(bridge, limit_price=102)).changed is not False
    await until(lambda: bridge.control.orders()[0].limit_price == 102)


async def test_a_rejected_change_does_not_end_the_order(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "CONFIRM_SECONDS", 2.0)
    placed = await bridge.call("place_limit_order", **LIMIT)
    await modify(bridge, quantity=11)
    bridge.control.slow_down(0.3)
    bridge.control.fill_order(placed.perm_id or 0, Decimal(100), Decimal(4))
    answer = await modify(bridge, quantity=3)
    assert (answer.changed, answer.may_resubmit) == (False, False)
    assert answer.state in {OrderState.WORKING, OrderState.PARTIALLY_FILLED}
    assert "code 201" in (answer.message or "")


@pytest.mark.parametrize("end", ["cancelled", "filled"])
async def test_of_an_order_that_ended_meanwhile_the_end_is_told(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(changing, "CONFIRM_SECONDS", 2.0)
    placed = await bridge.call("place_limit_order", **LIMIT)
    await modify(bridge, quantity=12)
    bridge.control.slow_down(0.3)
    if end == "cancelled":
        bridge.control.cancel_order(placed.perm_id or 0, "Cancelled by the exchange")
    else:
        bridge.control.fill_order(placed.perm_id or 0, Decimal(100))
    answer = await modify(bridge, limit_price=99)
    assert (answer.changed, answer.state) == (None, OrderState.CANCELLED if end == "cancelled" else OrderState.FILLED)
    assert "modify_order" not in answer.next_step
    assert "not confirmed" not in (answer.message or "")


async def test_a_change_that_is_not_confirmed_says_so(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "CONFIRM_SECONDS", 0.2)
    await bridge.call("place_limit_order", **LIMIT)
    await modify(bridge, quantity=11)  # the contract is known now
    bridge.control.mute()
    answer = await modify(bridge, limit_price=101)
    assert answer.message is not None
    assert "not confirmed yet" in answer.message
    assert (answer.limit_price, answer.state, answer.changed) == (100, OrderState.WORKING, None)
    bridge.control.unmute()
    listing = await eventually(lambda: bridge.call("get_orders"), lambda found: found.items[0].limit_price == 101)
    assert len(listing.items) == 1


@pytest.mark.parametrize("known_by", ["the gateway", "the file alone"])
async def test_a_number_that_a_restarted_gateway_gives_out_again_is_not_used_and_changes_no_live_order(
    bridge: Bridge, known_by: str
) -> None:
    first = await bridge.call("place_limit_order", **LIMIT)
    assert first.order_id is not None
    if known_by == "the file alone":
        await bridge.call("cancel_order", order_id="k")
    await bridge.stop_worker()
    bridge.control.roll_back_order_ids(3)
    await bridge.start_worker()
    second = await bridge.call("place_limit_order", **LIMIT | {"client_order_id": "k-2", "limit_price": 90})
    assert second.order_id is not None
    assert second.order_id > first.order_id
    assert modifications(bridge) == []
    assert len(bridge.placed()) == 2
    assert (await modify(bridge, "k-2", quantity=5)).quantity == 5
    assert bridge.control.orders()[0].quantity == 10


async def test_without_a_link_nothing_is_changed(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    bridge.control.refuse_connections()
    bridge.control.drop_links()
    await until(lambda: not bridge.worker.link.alive)
    with pytest.raises(GatewayUnavailable):
        await modify(bridge, quantity=5)
    assert modifications(bridge) == []
    await bridge.control.accept_connections()


async def test_under_readonly_nothing_is_changed() -> None:
    async with Bridge(readonly=True) as bridge:
        perm_id = bridge.control.add_manual_order("AAPL", "BUY", Decimal(2), limit_price=Decimal(100))
        answer = await modify(bridge, f"perm:{perm_id}", quantity=1)
        assert (answer.state, answer.may_resubmit) == (OrderState.REJECTED, False)
        assert answer.message is not None
        assert "READONLY" in answer.message
        assert modifications(bridge) == []


async def test_the_same_change_twice_is_the_same_order(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    answers = await asyncio.gather(modify(bridge, quantity=11), modify(bridge, quantity=11), return_exceptions=True)
    assert {answer.quantity for answer in answers if isinstance(answer, ModifyResult)} == {11}
    assert len(bridge.control.orders()) == 1
