"""Scenarios of orders: as they should go, and as they do."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from .scenario import scenario
from .stage import Stage

AAPL = 265598
ORDER: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 10}


async def resting(stage: Stage, name: str, **changes: Any) -> Any:
    """An order far from the market."""
    return await stage.call("place_limit_order", **{**ORDER, "limit_price": 100, "client_order_id": name, **changes})


@scenario(every_layout=True)
async def order_layouts(stage: Stage) -> None:
    """One order is cancelled, another fills: every message about orders that depends on the server version."""
    await resting(stage, "rests")
    await stage.call("cancel_order", order_id="rests")
    await stage.call("place_market_order", **ORDER, client_order_id="fills")
    await stage.call("get_orders")


@scenario()
async def orders(stage: Stage) -> None:
    """Placed, changed, cancelled; filled; listed with what was filled."""
    await resting(stage, "rests")
    await stage.call("modify_order", order="rests", limit_price="99.5")
    await stage.call("cancel_order", order_id="rests")
    await stage.call("place_market_order", **ORDER, client_order_id="fills")
    await stage.call("get_orders")
    await stage.call("get_executions")


@scenario()
async def stop_order(stage: Stage) -> None:
    """A stop rests until its price is reached, and the same call again is the same order."""
    stop = {**ORDER, "action": "SELL", "stop_price": 250, "client_order_id": "stop"}
    await stage.call("place_stop_order", **stop)
    await stage.call("place_stop_order", **stop)
    stage.control.move_price(AAPL, Decimal(249))
    await asyncio.sleep(1)
    await stage.call("get_orders")


@scenario()
async def order_off_the_tick(stage: Stage) -> None:
    """A price that the exchange does not take is refused before it is sent."""
    await stage.refused("place_limit_order", "INVALID_ARGUMENT", **ORDER, limit_price="100.001", client_order_id="off")


@scenario()
async def order_rejected(stage: Stage) -> None:
    """The gateway rejects an order (201), with a reason in markup."""
    stage.control.refuse_next_order(201, "Order rejected - reason:<br>The exchange is not for you.")
    answer = await resting(stage, "rejected")
    assert answer["state"] == "REJECTED", answer


@scenario()
async def order_refused_for_its_value(stage: Stage) -> None:
    """The user's own precaution refuses an order that is worth too much (451)."""
    answer = await resting(stage, "large", quantity=5_000)
    assert answer["state"] == "REJECTED", answer


@scenario(gateway={"exchange_hours": True})
async def order_in_exchange_hours(stage: Stage) -> None:
    """An order while the exchange is open, at a gateway that knows the hours."""
    await resting(stage, "by-day", outside_rth=True)


@scenario()
async def partial_fill(stage: Stage) -> None:
    """An order fills piece by piece; what is left is cancelled."""
    stage.control.pace_fills(Decimal(4))
    await stage.call("place_market_order", **ORDER, client_order_id="pieces")
    await asyncio.sleep(0.3)
    await stage.call("get_orders")
    await stage.call("cancel_order", order_id="pieces")
    await stage.call("get_executions")


@scenario()
async def fill_after_the_answer(stage: Stage) -> None:
    """The exchange holds an order back, then fills it at its price."""
    stage.control.hold_fills()
    placed = await stage.call("place_market_order", **ORDER, client_order_id="later")
    [order] = stage.control.orders()
    assert placed["filled"] == 0
    stage.control.hold_fills(on=False)
    stage.control.fill_order(order.perm_id, Decimal("271.05"))
    await stage.call("get_orders")
    await stage.call("get_positions")


@scenario()
async def cancelled_by_the_exchange(stage: Stage) -> None:
    """An order ends without anybody here having asked (202)."""
    await resting(stage, "unwanted")
    [order] = stage.control.orders()
    stage.control.cancel_order(order.perm_id, "The exchange is closing this contract")
    await stage.call("get_orders")
    await stage.call("cancel_order", order_id="unwanted")


@scenario()
async def order_by_hand(stage: Stage) -> None:
    """An order typed in TWS is seen, and cannot be cancelled from here."""
    stage.control.add_manual_order("AAPL", "BUY", Decimal(1), limit_price=Decimal(90))
    await asyncio.sleep(1)
    await stage.call("get_orders")


@scenario()
async def order_taken_without_a_word(stage: Stage) -> None:
    """The gateway takes an order and says nothing; the order is found, and not sent again."""
    stage.control.forget_next("place")
    order = {**ORDER, "limit_price": 100, "client_order_id": "silent"}
    await stage.ask("place_limit_order", **order)
    await asyncio.sleep(30)
    await stage.ask("place_limit_order", **order)
    assert len(stage.placed()) == 1
    await stage.call("get_orders")


@scenario()
async def order_lost_on_its_way(stage: Stage) -> None:
    """An order never arrives: nobody can know, and it is not sent again."""
    stage.control.swallow_next_order()
    order = {**ORDER, "limit_price": 100, "client_order_id": "lost"}
    await stage.ask("place_limit_order", **order)
    await asyncio.sleep(30)
    await stage.ask("place_limit_order", **order)
    assert stage.placed() == []


@scenario()
async def cancel_taken_without_a_word(stage: Stage) -> None:
    """A cancel takes effect and the gateway says nothing."""
    await resting(stage, "silent-cancel")
    stage.control.forget_next("cancel")
    await stage.ask("cancel_order", order_id="silent-cancel")
    await asyncio.sleep(30)
    await stage.call("get_orders")


@scenario(gateway={"read_only": True}, settings={"ibkr_read_only_api": True})
async def read_only_gateway(stage: Stage) -> None:
    """The gateway's own read-only API refuses orders (321) and some lists of them."""
    await stage.ask("get_orders")
    answer = await stage.ask("place_limit_order", **ORDER, limit_price=100, client_order_id="forbidden")
    assert answer.get("result", {}).get("state", "REJECTED") == "REJECTED", answer


@scenario(settings={"readonly": True})
async def read_only_worker(stage: Stage) -> None:
    """The worker's own READONLY: nothing is sent."""
    answer = await stage.ask("place_limit_order", **ORDER, limit_price=100, client_order_id="forbidden")
    assert stage.placed() == [], answer
    await stage.call("get_positions")
