from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from ib_async import Contract, Order, Stock

from simulated_gateway import GatewayConfig, Limits, ManualClock, SimulatedGateway

from .clients import QUICK_BEAT, aapl, connected, errors_of, limit, market, settled, stop, until

QUIET = GatewayConfig(beat_seconds=QUICK_BEAT, market_moves=False)


@pytest.mark.parametrize(
    ("contract", "order", "code"),
    [
        (aapl(), limit("BUY", 10, 150.005), 110),
        (aapl(), stop("SELL", 10, 150.005), 110),
        (aapl(), limit("BUY", 10.5, 150), 10243),
        (aapl(), limit("BUY", 0, 150), 434),
        (aapl(), limit("BUY", -1, 150), 321),
        (aapl(), limit("HOLD", 1, 150), 321),
        (aapl(), limit("BUY", 1, 0), 321),
        (aapl(), limit("BUY", 1, 150, tif="SOON"), 10052),
        (aapl(), limit("BUY", 1, 150, orderType="MAGIC"), 387),
        (aapl(), limit("BUY", 900, 150), 451),
        (aapl(), limit("BUY", 1, 150, account="U999"), 321),
        (Stock("NOSUCH", "SMART", "USD"), limit("BUY", 1, 150), 200),
        (Stock("AAPL", "", "USD"), limit("BUY", 1, 150), 321),
        (Contract(secType="IND", symbol="SPX", exchange="CBOE", currency="USD"), limit("BUY", 1, 150), 201),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
async def test_an_order_that_breaks_a_rule_is_refused_with_the_rules_code(
    gateway: SimulatedGateway, contract: Contract, order: Order, code: int
) -> None:
    async with connected(gateway) as ib:
        errors = errors_of(ib)
        trade = ib.placeOrder(contract, replace(order))
        await until(ib, lambda: bool(errors))
        assert errors[0][:2] == (trade.order.orderId, code)
        assert all(view.status == "Inactive" for view in gateway.control.orders())
        [entry] = gateway.control.ledger()
        assert entry.outcome.startswith(str(code))


async def test_an_order_without_account_is_refused_where_there_are_several(clock: ManualClock) -> None:
    config = replace(QUIET, accounts=("DU1", "DU2"))
    async with SimulatedGateway(config, clock) as gateway, connected(gateway) as ib:
        errors = errors_of(ib)
        ib.placeOrder(aapl(), limit("BUY", 1, 150))
        await until(ib, lambda: bool(errors))
        assert errors[0][1] == 435


async def test_an_order_beyond_the_margin_is_rejected_with_line_breaks(clock: ManualClock) -> None:
    config = replace(QUIET, precaution_value=None)
    async with SimulatedGateway(config, clock) as gateway, connected(gateway) as ib:
        errors = errors_of(ib)
        trade = ib.placeOrder(aapl(), limit("BUY", 100_000, 150))
        await until(ib, lambda: bool(errors))
        assert errors[0][:2] == (trade.order.orderId, 201)
        assert "<br>" in errors[0][2]
        assert trade.orderStatus.status in {"Inactive", "Cancelled"}
        [completed] = await ib.reqCompletedOrdersAsync(apiOnly=False)
        assert completed.orderStatus.status == "Inactive"


async def test_the_twenty_first_working_order_of_a_side_is_rejected(clock: ManualClock) -> None:
    config = replace(QUIET, limits=Limits(messages_per_second=1000, working_orders=3))
    async with SimulatedGateway(config, clock) as gateway, connected(gateway) as ib:
        errors = errors_of(ib)
        for _ in range(4):
            ib.placeOrder(aapl(), limit("BUY", 1, 100))
        sale = ib.placeOrder(aapl(), limit("SELL", 1, 999))
        await settled(ib, sale, "Submitted")
        assert [code for _, code, _ in errors] == [201]


async def test_a_missing_tif_becomes_day_with_an_information(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        errors = errors_of(ib)
        trade = ib.placeOrder(aapl(), limit("BUY", 1, 100, tif=""))
        await settled(ib, trade, "Submitted")
        assert [code for _, code, _ in errors] == [10349]
        assert gateway.control.orders()[0].tif == "DAY"


async def test_a_price_far_from_the_market_is_refused_where_that_precaution_is_set(clock: ManualClock) -> None:
    config = replace(QUIET, precaution_percent=Decimal(3))
    async with SimulatedGateway(config, clock) as gateway, connected(gateway) as ib:
        errors = errors_of(ib)
        ib.placeOrder(aapl(), limit("BUY", 1, 400))
        await until(ib, lambda: bool(errors))
        assert errors[0][1] == 109


async def test_an_order_after_hours_waits_with_warning_399_and_fills_at_the_opening() -> None:
    evening = ManualClock(datetime(2025, 11, 20, 1, 30, tzinfo=UTC))
    config = replace(QUIET, exchange_hours=True, beat_seconds=1)
    async with SimulatedGateway(config, evening) as gateway, connected(gateway) as ib:
        errors = errors_of(ib)
        trade = ib.placeOrder(aapl(), market("BUY", 1, tif="GTC"))
        await until(ib, lambda: bool(errors))
        assert errors[0][1] == 399
        assert "2025-11-20 09:30:00 US/Eastern" in errors[0][2]
        assert gateway.control.orders()[0].status == "PreSubmitted"
        evening.advance(13 * 3600 - 1)
        gateway.control.beat()
        assert gateway.control.orders()[0].status == "PreSubmitted"
        gateway.control.advance(1)
        await settled(ib, trade, "Filled")


async def test_extended_hours_are_open_for_orders_that_ask_for_them() -> None:
    evening = ManualClock(datetime(2025, 11, 20, 0, 30, tzinfo=UTC))
    async with SimulatedGateway(replace(QUIET, exchange_hours=True), evening) as gateway, connected(gateway) as ib:
        await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 999, outsideRth=True)), "Filled")


async def test_day_orders_expire_at_midnight_of_the_exchange_and_the_rest_stay() -> None:
    late = ManualClock(datetime(2025, 11, 20, 4, 59, tzinfo=UTC))
    async with SimulatedGateway(QUIET, late) as gateway, connected(gateway) as ib:
        await settled(ib, ib.placeOrder(aapl(), market("BUY", 1)), "Filled")
        day = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 100)), "Submitted")
        kept = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 100, tif="GTC")), "Submitted")
        gateway.control.advance(120)
        await settled(ib, day, "Cancelled")
        assert kept.orderStatus.status == "Submitted"


async def test_completed_orders_and_executions_are_of_the_exchanges_present_day_only() -> None:
    late = ManualClock(datetime(2025, 11, 20, 4, 59, tzinfo=UTC))
    async with SimulatedGateway(QUIET, late) as gateway, connected(gateway) as ib:
        await settled(ib, ib.placeOrder(aapl(), market("BUY", 1)), "Filled")
        assert len(await ib.reqCompletedOrdersAsync(apiOnly=False)) == 1
        assert len(await ib.reqExecutionsAsync()) == 1
        gateway.control.advance(120)
        assert await ib.reqCompletedOrdersAsync(apiOnly=False) == []
        assert await ib.reqExecutionsAsync() == []
