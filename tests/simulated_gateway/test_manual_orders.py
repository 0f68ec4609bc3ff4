"""Orders that a person typed in TWS."""

from __future__ import annotations

from decimal import Decimal

from ib_async import Trade

from simulated_gateway import SimulatedGateway

from .clients import AAPL, connected, raw, until


async def test_a_manual_order_is_seen_among_all_open_orders_without_id(gateway: SimulatedGateway) -> None:
    perm_id = gateway.control.add_manual_order("AAPL", "BUY", Decimal(3), limit_price=Decimal(100))
    async with connected(gateway, 5) as ib:
        assert await ib.reqOpenOrdersAsync() == []
        [seen] = await ib.reqAllOpenOrdersAsync()
        assert (seen.order.clientId, seen.order.orderId, seen.order.permId) == (0, 0, perm_id)


async def test_client_0_is_bound_to_manual_orders_when_it_asks_for_its_own(gateway: SimulatedGateway) -> None:
    perm_id = gateway.control.add_manual_order("AAPL", "BUY", Decimal(3), limit_price=Decimal(100))
    async with connected(gateway, 0) as ib:
        [trade] = ib.openTrades()
        assert trade.order.permId == perm_id
        assert trade.order.orderId < 0
        ib.cancelOrder(trade.order)
        await until(ib, lambda: trade.orderStatus.status == "Cancelled")


async def test_with_autobind_client_0_hears_of_new_manual_orders(gateway: SimulatedGateway) -> None:
    async with connected(gateway, 0) as ib:
        heard: list[Trade] = []
        ib.openOrderEvent += heard.append
        await ib.reqOpenOrdersAsync()
        gateway.control.add_manual_order("AAPL", "BUY", Decimal(3), limit_price=Decimal(100))
        await until(ib, lambda: bool(heard))
        assert heard[0].order.orderId < 0


async def test_only_client_0_may_ask_for_autobind(gateway: SimulatedGateway) -> None:
    async with raw(gateway, client_id=3) as client:
        client.send(15, 1, 1)
        assert (await client.message(4))[3] == "321"


async def test_a_manual_fill_changes_the_position_and_is_among_the_executions(gateway: SimulatedGateway) -> None:
    gateway.control.add_manual_order("AAPL", "BUY", Decimal(3), order_type="MKT")
    async with connected(gateway, 5) as ib:
        [fill] = await ib.reqExecutionsAsync()
        assert (fill.execution.shares, fill.execution.orderId) == (3, 0)
        assert any(position.contract.conId == AAPL and position.position == 103 for position in ib.positions())
