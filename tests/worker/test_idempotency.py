"""One name, one order: however often it is asked, whoever was lost in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.contract.orders import OrderState
from shared.contract.status import LinkState
from shared.errors import KeyReused

from .harness import Bridge, eventually

LIMIT: dict[str, Any] = {
    "symbol": "AAPL",
    "action": "BUY",
    "quantity": 10,
    "limit_price": 100,
    "client_order_id": "k-1",
}


async def test_the_same_name_twice_is_one_order_and_one_answer(bridge: Bridge) -> None:
    first = await bridge.text("place_limit_order", **LIMIT)
    second = await bridge.text("place_limit_order", **LIMIT)
    assert first == second
    assert len(bridge.placed()) == 1


async def test_the_same_name_fifty_times_at_once_is_one_order_and_equal_answers(bridge: Bridge) -> None:
    clients = [bridge.client(), bridge.client()]
    answers = await asyncio.gather(
        *(bridge.text("place_limit_order", client=clients[number % 2], **LIMIT) for number in range(50))
    )
    assert len(set(answers)) == 1
    assert len(bridge.placed()) == 1


async def test_fifty_names_at_once_are_fifty_orders(bridge: Bridge) -> None:
    orders = [
        LIMIT | {"client_order_id": f"k-{number}", "symbol": symbol, "quantity": number + 1}
        for number, symbol in enumerate(["AAPL", "MSFT", "IBM"] * 17)
    ][:50]
    answers = await asyncio.gather(*(bridge.call("place_limit_order", **order) for order in orders))
    assert {answer.client_order_id for answer in answers} == {order["client_order_id"] for order in orders}
    assert len({answer.perm_id for answer in answers}) == 50
    assert len(bridge.placed()) == 50


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": 11},
        {"limit_price": 101},
        {"action": "SELL"},
        {"tif": "GTC"},
        {"outside_rth": True},
        {"symbol": "IBM"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_another_order_under_the_name_is_refused(bridge: Bridge, change: dict[str, Any]) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    with pytest.raises(KeyReused, match="k-1"):
        await bridge.call("place_limit_order", **LIMIT | change)
    assert len(bridge.placed()) == 1


async def test_another_kind_of_order_under_the_name_is_refused(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    with pytest.raises(KeyReused):
        await bridge.call("place_market_order", symbol="AAPL", action="BUY", quantity=10, client_order_id="k-1")


async def test_two_different_orders_at_once_under_one_name_are_one_order_and_one_refusal(bridge: Bridge) -> None:
    outcomes = await asyncio.gather(
        bridge.text("place_limit_order", **LIMIT),
        bridge.text("place_limit_order", **LIMIT | {"quantity": 20}),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, KeyReused) for outcome in outcomes) == 1
    assert len(bridge.placed()) == 1


async def test_the_same_order_written_differently_is_the_same_order(bridge: Bridge) -> None:
    first = await bridge.text("place_limit_order", **LIMIT)
    spelled = {"symbol": " aapl", "action": "buy", "quantity": "10.0", "limit_price": "100.00", "tif": "day"}
    again = await bridge.text(
        "place_limit_order", **LIMIT | spelled | {"account": "DU1234567", "primary_exchange": None, "con_id": None}
    )
    assert first == again
    assert len(bridge.placed()) == 1


async def test_two_callers_may_use_the_same_name(bridge: Bridge) -> None:
    first = await bridge.call("place_limit_order", **LIMIT, caller="one")
    second = await bridge.call("place_limit_order", **LIMIT, caller="two")
    assert first.perm_id != second.perm_id
    assert len({entry.order_ref for entry in bridge.placed()}) == 2


async def test_a_finished_order_is_answered_as_it_is_now(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    await bridge.call("cancel_order", order_id="k-1")
    again = await bridge.call("place_limit_order", **LIMIT)
    assert again.state is OrderState.CANCELLED
    assert again.may_resubmit is True
    assert len(bridge.placed()) == 1


async def test_a_refused_order_is_not_tried_again_under_its_name(bridge: Bridge) -> None:
    bridge.control.refuse_next_order(201, "Order rejected - reason:No.")
    first = await bridge.text("place_limit_order", **LIMIT)
    assert await bridge.text("place_limit_order", **LIMIT) == first
    assert len(bridge.placed()) == 1


@pytest.mark.parametrize("fate", ["working", "filled", "cancelled", "refused"])
async def test_after_a_restart_of_the_worker_the_answer_and_the_order_are_the_same(bridge: Bridge, fate: str) -> None:
    if fate == "refused":
        bridge.control.refuse_next_order(201, "Order rejected - reason:No.")
    await bridge.call("place_limit_order", **LIMIT)
    if fate == "filled":
        bridge.control.move_price(265598, LIMIT["limit_price"] - 1)
        await eventually(lambda: bridge.call("get_orders"), lambda found: found.items[0].state is OrderState.FILLED)
    if fate == "cancelled":
        await bridge.call("cancel_order", order_id="k-1")
    before = await bridge.call("place_limit_order", **LIMIT)
    await bridge.stop_worker()
    await bridge.start_worker()
    after = await bridge.call("place_limit_order", **LIMIT)
    assert after == before
    assert len(bridge.placed()) == 1


async def test_after_a_restart_another_order_under_the_name_is_still_refused(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    await bridge.stop_worker()
    await bridge.start_worker()
    with pytest.raises(KeyReused):
        await bridge.call("place_limit_order", **LIMIT | {"quantity": 1})
    assert len(bridge.placed()) == 1


async def test_a_job_that_is_run_again_without_a_name_is_the_same_order(bridge: Bridge) -> None:
    arguments = {name: value for name, value in LIMIT.items() if name != "client_order_id"}
    envelope = bridge.envelope("place_limit_order", arguments=arguments)
    first = await bridge.put(envelope)
    second = await bridge.put(envelope)
    assert first == second
    assert len(bridge.placed()) == 1


async def test_order_ids_that_the_gateway_gives_out_again_do_not_confuse_orders(bridge: Bridge) -> None:
    first = await bridge.call("place_limit_order", **LIMIT)
    await bridge.stop_worker()
    bridge.control.roll_back_order_ids(1)
    await bridge.start_worker()
    second = await bridge.call("place_limit_order", **LIMIT | {"client_order_id": "k-2", "limit_price": 90})
    again = await bridge.call("place_limit_order", **LIMIT)
    assert (again.perm_id, again.limit_price) == (first.perm_id, 100)
    assert second.perm_id != first.perm_id


async def test_while_the_gateway_is_away_another_option_under_the_name_is_not_the_same_order(bridge: Bridge) -> None:
    option = LIMIT | {"sec_type": "OPT", "expiry": "2025-12-19", "strike": 190, "right": "C", "limit_price": 1}
    first = await bridge.call("place_limit_order", **option)
    bridge.control.refuse_connections(60)
    bridge.control.drop_links()
    await bridge.in_state(LinkState.LINK_LOST, LinkState.CONNECTING)
    again = await bridge.call("place_limit_order", **option)
    assert (again.perm_id, again.state) == (first.perm_id, first.state)
    for change in ({"strike": 195}, {"right": "P"}, {"expiry": "2026-01-16"}, {"currency": "EUR"}):
        with pytest.raises(KeyReused, match="k-1"):
            await bridge.call("place_limit_order", **option | change)
    assert len(bridge.placed()) == 1
