"""Fills with their commissions: which are listed, of whom, since when, and when the commission comes later."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.contract.answers import Listing
from shared.contract.orders import ExecutionInfo, OrderResult
from shared.errors import InvalidArgument, TimedOut, WrongAccount

from .harness import TRADING_HOURS, Bridge, eventually, quiet_gateway

TWO = ("DU1111111", "DU2222222")


async def executions(bridge: Bridge, **filters: Any) -> Listing[ExecutionInfo]:
    return await bridge.call("get_executions", **filters)


async def buy(bridge: Bridge, name: str, symbol: str = "AAPL", **terms: Any) -> OrderResult:
    order = {"symbol": symbol, "action": "BUY", "quantity": 10, "limit_price": 100, "client_order_id": name}
    return await bridge.call("place_limit_order", **order | terms)


async def filled(bridge: Bridge, count: int, **filters: Any) -> list[ExecutionInfo]:
    """The list once it has so many rows, each with its commission."""
    listing = await eventually(
        lambda: executions(bridge, **filters),
        lambda found: len(found.items) == count and all(row.commission is not None for row in found.items),
    )
    return listing.items


async def test_a_fill_is_listed_with_every_field_and_its_commission(bridge: Bridge) -> None:
    placed = await buy(bridge, "k")
    bridge.control.fill_order(placed.perm_id or 0, Decimal("99.50"), Decimal(4))
    bridge.control.fill_order(placed.perm_id or 0, Decimal(100))
    newest, oldest = await filled(bridge, 2)
    assert (oldest.quantity, oldest.price, newest.quantity, newest.price) == (4, Decimal("99.5"), 6, 100)
    for row in (newest, oldest):
        assert (row.account, row.symbol, row.sec_type, row.con_id) == ("DU1234567", "AAPL", "STK", 265598)
        assert (row.action, row.currency, row.commission, row.commission_currency) == ("BUY", "USD", 1, "USD")
        assert (row.order_id, row.perm_id, row.client_order_id) == (placed.order_id, placed.perm_id, "k")
        assert row.time.tzinfo is not None
    assert newest.exec_id != oldest.exec_id


async def test_executions_are_of_one_account_or_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Bridge(quiet_gateway(accounts=TWO)) as bridge:
        for account in TWO:
            placed = await buy(bridge, account, account=account)
            bridge.control.fill_order(placed.perm_id or 0, Decimal(100))
        assert {row.account for row in await filled(bridge, 2)} == set(TWO)
        (row,) = await filled(bridge, 1, account="du2222222")
        assert row.client_order_id == "DU2222222"
        with pytest.raises(WrongAccount):
            await executions(bridge, account="DU3333333")


async def test_executions_are_filtered_by_symbol_and_time(bridge: Bridge) -> None:
    first = await buy(bridge, "a")
    bridge.control.fill_order(first.perm_id or 0, Decimal(100))
    bridge.control.advance(3600)
    second = await buy(bridge, "m", "MSFT")
    bridge.control.fill_order(second.perm_id or 0, Decimal(100))
    assert [row.symbol for row in await filled(bridge, 2)] == ["MSFT", "AAPL"]
    assert [row.symbol for row in await filled(bridge, 1, symbol=" aapl ")] == ["AAPL"]
    since = TRADING_HOURS + timedelta(minutes=30)
    assert [row.symbol for row in await filled(bridge, 1, since=since.isoformat())] == ["MSFT"]
    (aapl,) = await filled(bridge, 1, symbol="AAPL")
    exactly = aapl.time.astimezone(UTC).isoformat()
    assert len((await executions(bridge, since=exactly)).items) == 2, "from this time on, itself included"
    assert (await executions(bridge, since=datetime(2030, 1, 1, tzinfo=UTC).isoformat())).items == []
    assert (await executions(bridge, symbol="IBM")).items == []


@pytest.mark.parametrize("since", ["2025-11-19T16:00:00", "yesterday", 5])
async def test_a_time_without_its_zone_is_refused(bridge: Bridge, since: object) -> None:
    with pytest.raises(InvalidArgument, match="since"):
        await executions(bridge, since=since)


async def test_a_persons_fill_is_listed_without_a_name(bridge: Bridge) -> None:
    perm_id = bridge.control.add_manual_order("MSFT", "SELL", Decimal(2), limit_price=Decimal(900))
    bridge.control.fill_order(perm_id, Decimal(901))
    (row,) = await filled(bridge, 1)
    assert (row.action, row.quantity, row.client_order_id, row.perm_id) == ("SELL", 2, None, perm_id)


async def test_no_fills_are_an_empty_list_and_a_mute_gateway_is_an_error(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await executions(bridge)).items == []
    monkeypatch.setattr("broker_worker.orders.book.SYNC_SECONDS", 0.2)
    bridge.control.mute()
    with pytest.raises(TimedOut):
        await executions(bridge)


async def test_fills_of_before_a_restart_of_the_worker_are_listed_with_their_names(bridge: Bridge) -> None:
    placed = await buy(bridge, "k")
    bridge.control.fill_order(placed.perm_id or 0, Decimal(100))
    before = await filled(bridge, 1)
    await bridge.stop_worker()
    await bridge.start_worker()
    after = await filled(bridge, 1)
    assert [row.model_copy(update={"order_id": None}) for row in after] == [
        row.model_copy(update={"order_id": None}) for row in before
    ]


async def test_a_long_list_goes_on_by_its_cursor(bridge: Bridge) -> None:
    placed = await buy(bridge, "k", quantity=150)
    for _ in range(150):
        bridge.control.fill_order(placed.perm_id or 0, Decimal(100), Decimal(1))
    seen: list[str] = []

    async def whole() -> list[str]:
        rows, cursor = [], None
        while True:
            page = await executions(bridge, **({"cursor": cursor} if cursor else {}))
            rows += [row.exec_id for row in page.items]
            if not page.truncated:
                return rows
            cursor = page.next_cursor
            assert cursor is not None

    seen = await eventually(whole, lambda rows: len(rows) == 150)
    assert len(set(seen)) == 150


async def test_asking_at_once_gives_all_the_same(bridge: Bridge) -> None:
    placed = await buy(bridge, "k")
    bridge.control.fill_order(placed.perm_id or 0, Decimal(100))
    await filled(bridge, 1)
    answers = await asyncio.gather(*(executions(bridge) for _ in range(20)))
    assert {row.exec_id for answer in answers for row in answer.items} == {answers[0].items[0].exec_id}
