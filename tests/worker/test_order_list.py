"""The list of orders: open and completed, of everybody, after every start."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from broker_worker.orders import book
from shared.contract.orders import OrderState
from shared.errors import TimedOut

from .harness import Bridge, quiet_gateway

LIMIT: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 10, "limit_price": 100}


async def test_open_and_completed_orders_are_listed_newest_first(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT, client_order_id="a")
    await bridge.call("place_market_order", symbol="MSFT", action="BUY", quantity=1, client_order_id="b")
    await bridge.call("place_stop_order", symbol="AAPL", action="SELL", quantity=2, stop_price=50, client_order_id="c")
    await bridge.call("cancel_order", order_id="a")
    listing = await bridge.call("get_orders")
    assert [row.client_order_id for row in listing.items] == ["c", "b", "a"]
    assert [row.state for row in listing.items] == [OrderState.WORKING, OrderState.FILLED, OrderState.CANCELLED]
    assert [row.order_type for row in listing.items] == ["STP", "MKT", "LMT"]
    stop, market, limit = listing.items
    assert (stop.stop_price, stop.limit_price) == (50, None)
    assert (market.stop_price, market.limit_price) == (None, None)
    assert (limit.stop_price, limit.limit_price) == (None, 100)
    assert listing.note is None


async def test_refused_orders_that_have_no_permanent_id_stand_where_they_were_placed(bridge: Bridge) -> None:
    for name in ("a", "b", "c", "d", "e"):
        if name in {"b", "d", "e"}:
            bridge.control.refuse_next_order(201, "no")
        await bridge.call("place_limit_order", **LIMIT, client_order_id=name)
    listing = await bridge.call("get_orders")
    assert [row.client_order_id for row in listing.items] == ["e", "d", "c", "b", "a"]


async def test_every_field_of_an_open_order_is_told(bridge: Bridge) -> None:
    placed = await bridge.call("place_limit_order", **LIMIT, client_order_id="a")
    (row,) = (await bridge.call("get_orders")).items
    assert (row.order_id, row.perm_id, row.client_id) == (placed.order_id, placed.perm_id, 1)
    assert (row.account, row.symbol, row.sec_type, row.con_id) == ("DU1234567", "AAPL", "STK", 265598)
    assert (row.currency, row.action, row.total_quantity) == ("USD", "BUY", 10)
    assert (row.status, row.filled, row.remaining, row.avg_fill_price) == ("Submitted", 0, 10, None)
    assert (row.message, row.warnings) == (None, [])


async def test_a_new_worker_lists_what_the_old_one_placed_under_its_names(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT, client_order_id="a")
    await bridge.call("place_market_order", symbol="MSFT", action="BUY", quantity=1, client_order_id="b")
    await bridge.call("place_limit_order", **LIMIT, client_order_id="c")
    await bridge.call("cancel_order", order_id="c")
    await bridge.stop_worker()
    bridge.control.add_manual_order("MSFT", "BUY", Decimal(2), limit_price=Decimal(300))
    await bridge.start_worker()
    listing = await bridge.call("get_orders")
    states = {row.client_order_id: row.state for row in listing.items}
    assert states == {
        None: OrderState.WORKING,
        "a": OrderState.WORKING,
        "b": OrderState.FILLED,
        "c": OrderState.CANCELLED,
    }
    filled = next(row for row in listing.items if row.client_order_id == "b")
    assert (filled.total_quantity, filled.filled, filled.remaining) == (1, 1, 0)
    assert filled.avg_fill_price is not None


async def test_orders_can_be_asked_for_one_account() -> None:
    async with Bridge(quiet_gateway(accounts=("DU1111111", "DU2222222"))) as bridge:
        await bridge.call("place_limit_order", **LIMIT, account="DU1111111")
        await bridge.call("place_limit_order", **LIMIT, account="DU2222222")
        assert (await bridge.call("get_orders")).count == 2
        (row,) = (await bridge.call("get_orders", account="DU2222222")).items
        assert row.account == "DU2222222"


async def test_a_gateway_with_a_read_only_api_says_what_the_list_lacks() -> None:
    async with Bridge(quiet_gateway(read_only=True), ibkr_read_only_api=True) as bridge:
        bridge.control.add_manual_order("MSFT", "BUY", Decimal(2), limit_price=Decimal(300))
        listing = await bridge.call("get_orders")
        assert [row.symbol for row in listing.items] == ["MSFT"]
        assert listing.note is not None
        assert "completed orders" in listing.note
        assert "read-only API" in listing.note


async def test_open_orders_that_do_not_come_are_an_error_and_never_an_empty_list(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "SYNC_SECONDS", 0.2)
    bridge.control.mute()
    with pytest.raises(TimedOut, match="open orders"):
        await bridge.call("get_orders")
    with pytest.raises(TimedOut, match="open orders"):
        await bridge.call("cancel_order", order_id="77")  # not NOT_FOUND: nobody looked


async def test_an_order_against_a_read_only_api_is_rejected_in_the_gateways_words() -> None:
    async with Bridge(quiet_gateway(read_only=True), ibkr_read_only_api=True) as bridge:
        answer = await bridge.call("place_limit_order", **LIMIT)
        assert answer.state is OrderState.REJECTED
        assert answer.message is not None
        assert "Read-Only" in answer.message


async def test_fifty_orders_are_listed_in_pages_without_gap_or_repeat(bridge: Bridge) -> None:
    for number in range(60):
        symbol = ("AAPL", "MSFT", "IBM", "KO")[number % 4]
        await bridge.call("place_limit_order", symbol=symbol, action="BUY", quantity=1, limit_price=10)
    seen: list[int | None] = []
    cursor: str | None = None
    pages = 0
    while True:
        text = await bridge.text("get_orders", cursor=cursor)
        assert len(text) <= 20_000
        page = await bridge.call("get_orders", cursor=cursor)
        seen += [row.perm_id for row in page.items]
        pages += 1
        if (cursor := page.next_cursor) is None:
            break
    assert pages > 1
    assert len(seen) == len(set(seen)) == 60
