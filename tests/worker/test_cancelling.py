"""Cancelling: our own orders, those of others, those that are over, those that never were."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ib_async import IB, LimitOrder, Stock

from broker_worker.orders import changing, placing
from shared.contract.orders import OrderState
from shared.errors import InvalidArgument

from .harness import Bridge, eventually, until

LIMIT: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 10, "limit_price": 100}


def _cancels(bridge: Bridge) -> int:
    return sum(entry.kind == "cancel" for entry in bridge.control.ledger())


async def _foreign_order(bridge: Bridge, client_id: int, order_id: int = 0) -> IB:
    """An order of another API client, which stays connected."""
    other = IB()
    await other.connectAsync("127.0.0.1", bridge.gateway.port, clientId=client_id)
    order = LimitOrder("BUY", 3, 90, account="DU1234567", tif="DAY", orderId=order_id)
    other.placeOrder(Stock("MSFT", "SMART", "USD"), order)
    await until(lambda: any(view.client_id == client_id for view in bridge.control.orders()))
    return other


@pytest.mark.parametrize("by", ["number", "perm", "PERM with a space", "name", "number as a number"])
async def test_an_own_order_is_cancelled_by_every_name_it_has(bridge: Bridge, by: str) -> None:
    placed = await bridge.call("place_limit_order", **LIMIT, client_order_id="mine")
    handle: object = {
        "number": str(placed.order_id),
        "number as a number": placed.order_id,
        "perm": f"perm:{placed.perm_id}",
        "PERM with a space": f" PERM: {placed.perm_id} ",
        "name": "mine",
    }[by]
    answer = await bridge.call("cancel_order", order_id=handle)
    assert answer.status == "Cancelled"
    assert (answer.order_id, answer.perm_id) == (placed.order_id, placed.perm_id)
    assert answer.client_order_id == "mine"
    (row,) = (await bridge.call("get_orders")).items
    assert row.state is OrderState.CANCELLED


async def test_an_order_that_is_over_is_not_cancelled_again(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT, client_order_id="mine")
    await bridge.call("cancel_order", order_id="mine")
    again = await bridge.call("cancel_order", order_id="mine")
    assert again.status == "Cancelled"
    assert again.message is not None
    assert "over" in again.message
    assert _cancels(bridge) == 1


async def test_a_filled_order_says_that_it_is_filled(bridge: Bridge) -> None:
    placed = await bridge.call("place_limit_order", **LIMIT, client_order_id="mine")
    assert placed.perm_id is not None
    bridge.control.fill_order(placed.perm_id, Decimal(100))
    answer = await eventually(
        lambda: bridge.call("get_orders"), lambda listing: listing.items[0].state is OrderState.FILLED
    )
    assert answer.items[0].filled == 10
    cancelled = await bridge.call("cancel_order", order_id="mine")
    assert cancelled.status == "Filled"
    assert _cancels(bridge) == 0


@pytest.mark.parametrize("handle", ["99999", "perm:99999", "no-such-name", "perm:", "perm:abc", "٣"])
async def test_an_unknown_order_is_not_found_and_nothing_is_sent(bridge: Bridge, handle: str) -> None:
    answer = await bridge.call("cancel_order", order_id=handle)
    assert answer.status == "NOT_FOUND"
    assert answer.message is not None
    assert (answer.order_id, answer.perm_id, answer.client_order_id) == (None, None, None)
    assert _cancels(bridge) == 0


@pytest.mark.parametrize("handle", ["", "   ", None, "x" * 65])
async def test_an_empty_or_endless_handle_is_refused(bridge: Bridge, handle: object) -> None:
    with pytest.raises(InvalidArgument, match="order_id"):
        await bridge.call("cancel_order", order_id=handle)


async def test_the_name_of_another_callers_order_names_nothing(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT, client_order_id="mine")
    answer = await bridge.call("cancel_order", order_id="mine", caller="somebody else")
    assert answer.status == "NOT_FOUND"
    assert bridge.control.orders()[0].status == "Submitted"


async def test_a_foreign_clients_order_is_shown_and_left_alone(bridge: Bridge) -> None:
    other = await _foreign_order(bridge, 7)
    try:
        (row,) = (await bridge.call("get_orders")).items
        assert (row.client_id, row.client_order_id, row.symbol) == (7, None, "MSFT")
        answer = await bridge.call("cancel_order", order_id=f"perm:{row.perm_id}")
    finally:
        other.disconnect()
    assert answer.status == "REJECTED"
    assert answer.message is not None
    assert "client 7" in answer.message
    assert _cancels(bridge) == 0


async def test_a_manual_order_is_shown_and_left_alone(bridge: Bridge) -> None:
    perm_id = bridge.control.add_manual_order("MSFT", "BUY", Decimal(2), limit_price=Decimal(300))
    (row,) = (await bridge.call("get_orders")).items
    assert (row.perm_id, row.order_id, row.client_order_id) == (perm_id, None, None)
    assert (row.symbol, row.total_quantity, row.limit_price) == ("MSFT", 2, 300)
    answer = await bridge.call("cancel_order", order_id=f"perm:{perm_id}")
    assert answer.status == "REJECTED"
    assert answer.message is not None
    assert "TWS" in answer.message


async def test_a_number_that_two_clients_gave_is_refused_with_the_candidates(bridge: Bridge) -> None:
    placed = await bridge.call("place_limit_order", **LIMIT)
    other = await _foreign_order(bridge, 7, placed.order_id or 0)
    try:
        await bridge.call("get_orders")
        with pytest.raises(InvalidArgument) as refused:
            await bridge.call("cancel_order", order_id=placed.order_id)
    finally:
        other.disconnect()
    assert f"perm:{placed.perm_id}" in refused.value.fact
    assert refused.value.fact.count("perm:") == 2
    assert _cancels(bridge) == 0


async def test_a_cancel_that_the_gateway_forgets_to_confirm_is_told_as_unconfirmed(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changing, "CONFIRM_SECONDS", 0.2)
    await bridge.call("place_limit_order", **LIMIT, client_order_id="mine")
    bridge.control.forget_next("cancel")
    answer = await bridge.call("cancel_order", order_id="mine")
    assert answer.message is not None
    assert "not confirmed" in answer.message
    listing = await bridge.call("get_orders")
    assert listing.items[0].state is OrderState.CANCELLED


async def test_an_order_cancelled_at_the_exchange_is_seen_as_cancelled(bridge: Bridge) -> None:
    placed = await bridge.call("place_limit_order", **LIMIT, client_order_id="mine")
    assert placed.perm_id is not None
    bridge.control.cancel_order(placed.perm_id, "Cancelled by the exchange")
    listing = await eventually(
        lambda: bridge.call("get_orders"), lambda found: found.items[0].state is OrderState.CANCELLED
    )
    assert listing.items[0].client_order_id == "mine"
    answer = await bridge.call("cancel_order", order_id="mine")
    assert answer.status == "Cancelled"


async def test_a_partly_filled_order_keeps_what_filled(bridge: Bridge) -> None:
    placed = await bridge.call("place_limit_order", **LIMIT, client_order_id="mine")
    assert placed.perm_id is not None
    bridge.control.fill_order(placed.perm_id, Decimal(100), Decimal(4))
    cancelled = await bridge.call("cancel_order", order_id="mine")
    assert (cancelled.state, cancelled.filled, cancelled.remaining) == (OrderState.CANCELLED, 4, 6)
    assert cancelled.next_step == "4 of 10 filled. If the rest is still wanted, place a new order for 6, no more."
    answer = await bridge.call("place_limit_order", **LIMIT, client_order_id="mine")
    assert (answer.state, answer.filled, answer.avg_fill_price) == (OrderState.CANCELLED, 4, 100)
    assert (answer.may_resubmit, answer.next_step) == (False, cancelled.next_step)


async def test_that_the_gateway_does_not_know_an_order_of_unknown_fate_is_told_at_once(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "ACKNOWLEDGE_SECONDS", 0.1)
    bridge.control.swallow_next_order()
    await bridge.call("place_limit_order", **LIMIT, client_order_id="mine")
    await eventually(
        lambda: bridge.call("get_orders"),
        lambda found: [row.state for row in found.items] == [OrderState.UNKNOWN],
    )
    answer = await bridge.call("cancel_order", order_id="mine")
    assert "gateway code 10147" in (answer.message or "")
    assert answer.state is OrderState.UNKNOWN


async def test_what_only_another_can_cancel_is_not_said_to_be_cancellable_here(bridge: Bridge) -> None:
    perm_id = bridge.control.add_manual_order("MSFT", "BUY", Decimal(2), limit_price=Decimal(300))
    await bridge.call("get_orders")
    answer = await bridge.call("cancel_order", order_id=f"perm:{perm_id}")
    assert (answer.status, answer.state) == ("REJECTED", OrderState.WORKING)
    assert answer.next_step == "Nothing was sent. Tell your user, who can cancel it there."


async def test_under_readonly_nothing_is_said_of_where_an_order_stands() -> None:
    async with Bridge(readonly=True) as readonly:
        perm_id = readonly.control.add_manual_order("MSFT", "BUY", Decimal(2), limit_price=Decimal(300))
        answer = await readonly.call("cancel_order", order_id=f"perm:{perm_id}")
    assert (answer.status, answer.state) == ("REJECTED", None)
