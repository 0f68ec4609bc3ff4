"""What a gateway with a state file remembers."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from simulated_gateway import GatewayConfig, ManualClock, SimulatedGateway

from .clients import AAPL, QUICK_BEAT, aapl, connected, limit, market, settled, unstarted


async def test_orders_ids_executions_accounts_and_ledger_survive_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    config = GatewayConfig(state_file=tmp_path / "state.json", beat_seconds=QUICK_BEAT, market_moves=False)
    async with SimulatedGateway(config, clock) as before, connected(before, 4) as ib:
        await settled(ib, ib.placeOrder(aapl(), market("BUY", 5, orderRef="one")), "Filled")
        resting = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 5, 100, orderRef="two", tif="GTC")), "Submitted")
        old = before.control
    async with SimulatedGateway(config, clock) as after, connected(after, 4) as ib:
        assert after.control.orders() == old.orders()
        assert after.control.ledger() == old.ledger()
        assert after.control.positions() == old.positions()
        [fill] = await ib.reqExecutionsAsync()
        assert fill.execution.orderRef == "one"
        [trade] = ib.openTrades()
        assert trade.order.permId == resting.order.permId
        after.control.move_price(AAPL, Decimal(99))
        await settled(ib, trade, "Filled")
        assert ib.client.getReqId() > resting.order.orderId


async def test_the_file_is_current_before_the_client_hears_of_its_order(tmp_path: Path, clock: ManualClock) -> None:
    state = tmp_path / "state.json"
    config = GatewayConfig(state_file=state, beat_seconds=QUICK_BEAT, market_moves=False)
    async with SimulatedGateway(config, clock) as gateway, connected(gateway) as ib:
        trade = ib.placeOrder(aapl(), limit("BUY", 5, 100, orderRef="kept"))
        await settled(ib, trade, "Submitted")
        assert "kept" in state.read_text()


async def test_without_a_file_nothing_is_remembered(gateway: SimulatedGateway, clock: ManualClock) -> None:
    async with connected(gateway, 4) as ib:
        await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 100)), "Submitted")
    async with SimulatedGateway(GatewayConfig(), clock) as fresh, unstarted(fresh) as client:
        await client.shake_hands("v157..178")
        client.send(71, 2, 4, "")
        assert await client.message(9) == ["9", "1", "1"]


def test_a_file_of_something_else_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    state = tmp_path / "state.json"
    state.write_text("{}")
    with pytest.raises(ValueError, match="no state file"):
        SimulatedGateway(GatewayConfig(state_file=state), clock)
