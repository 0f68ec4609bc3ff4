from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from ib_async import IB, Contract, Crypto, Forex, Order, Stock, Trade

from simulated_gateway import GatewayConfig, ManualClock, SimulatedGateway

from .clients import AAPL, QUICK_BEAT, aapl, calls, connected, errors_of, limit, market, settled, stop, until


def statuses(trade: Trade) -> list[str]:
    return [entry.status for entry in trade.log if entry.status != "PendingSubmit"]


async def test_a_market_order_is_presubmitted_then_filled_and_never_submitted(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        trade = await settled(ib, ib.placeOrder(aapl(), market("BUY", 10)), "Filled")
        assert "Submitted" not in statuses(trade)
        assert trade.orderStatus.filled == 10
        assert trade.orderStatus.remaining == 0


async def test_the_messages_of_a_market_order_come_in_the_gateways_order(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        heard: list[str] = []
        ib.openOrderEvent += lambda trade: heard.append(f"open order {trade.orderStatus.status}")
        ib.orderStatusEvent += lambda trade: heard.append(trade.orderStatus.status)
        ib.execDetailsEvent += lambda *_: heard.append("execution")
        ib.commissionReportEvent += lambda *_: heard.append("commission")
        trade = ib.placeOrder(aapl(), market("BUY", 1))
        await until(ib, lambda: "commission" in heard)
        assert [word for word in heard if not word.startswith("open order")] == [
            "PreSubmitted",
            "execution",
            "Filled",
            "commission",
        ]
        assert trade.fills[0].commissionReport.commission == 1.0


async def test_a_fill_changes_position_and_cash_and_realizes_profit(gateway: SimulatedGateway) -> None:
    gateway.control.move_price(AAPL, Decimal(200))
    async with connected(gateway) as ib:
        cash = {value.currency: value.value for value in ib.accountValues() if value.tag == "CashBalance"}
        assert cash["USD"] == "500000.00"
        trade = await settled(ib, ib.placeOrder(aapl(), market("SELL", 40)), "Filled")
        await until(ib, lambda: trade.fills[0].commissionReport.execId != "")
        assert trade.orderStatus.avgFillPrice == 200
        assert trade.fills[0].commissionReport.realizedPNL == pytest.approx((200 - 151.20) * 40 - 1)
        await until(ib, lambda: any(p.contract.conId == AAPL and p.position == 60 for p in ib.positions()))
        await until(ib, lambda: any(p.contract.conId == AAPL and p.position == 60 for p in ib.portfolio()))
        cash = {value.currency: value.value for value in ib.accountValues() if value.tag == "CashBalance"}
        assert cash["USD"] == "507999.00"


async def test_a_resting_limit_order_fills_when_the_market_comes_to_it(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        trade = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 10, 150)), "Submitted")
        gateway.control.move_price(AAPL, Decimal("149.50"))
        await settled(ib, trade, "Filled")
        assert trade.orderStatus.avgFillPrice == 149.51


async def test_a_stop_rests_presubmitted_and_triggers_when_the_market_falls(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        trade = await settled(ib, ib.placeOrder(aapl(), stop("SELL", 10, 150)), "PreSubmitted")
        assert trade.orderStatus.whyHeld == "trigger"
        gateway.control.move_price(AAPL, Decimal(151))
        assert gateway.control.orders()[0].status == "PreSubmitted"
        gateway.control.move_price(AAPL, Decimal(150))
        await settled(ib, trade, "Filled")


async def test_a_triggered_stop_limit_rests_at_its_limit(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        order = Order(orderType="STP LMT", action="SELL", totalQuantity=5, auxPrice=150, lmtPrice=149, tif="DAY")
        trade = await settled(ib, ib.placeOrder(aapl(), order), "PreSubmitted")
        gateway.control.move_price(AAPL, Decimal(148))
        await settled(ib, trade, "Submitted")
        gateway.control.move_price(AAPL, Decimal("149.50"))
        await settled(ib, trade, "Filled")


async def test_a_trailing_stop_follows_the_market_up_and_sells_when_it_turns(gateway: SimulatedGateway) -> None:
    gateway.control.move_price(AAPL, Decimal(200))
    async with connected(gateway) as ib:
        order = Order(orderType="TRAIL", action="SELL", totalQuantity=5, auxPrice=10, tif="GTC")
        trade = await settled(ib, ib.placeOrder(aapl(), order), "PreSubmitted")
        for price in (220, 211):
            gateway.control.move_price(AAPL, Decimal(price))
            assert gateway.control.orders()[0].status == "PreSubmitted"
        gateway.control.move_price(AAPL, Decimal(210))
        await settled(ib, trade, "Filled")


async def test_a_large_order_fills_in_parts(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        gateway.control.pace_fills(Decimal(4))
        trade = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 10, 999)), "Filled")
        assert [fill.execution.shares for fill in trade.fills] == [4, 4, 2]
        assert [fill.execution.cumQty for fill in trade.fills] == [4, 8, 10]
        assert len({fill.execution.execId for fill in trade.fills}) == 3


async def test_held_fills_leave_a_marketable_order_at_the_exchange(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        gateway.control.hold_fills()
        trade = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 10, 999)), "Submitted")
        gateway.control.hold_fills(False)
        await settled(ib, trade, "Filled")


async def test_a_cancel_is_answered_with_cancelled_and_202(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        trade = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 10, 150)), "Submitted")
        errors = errors_of(ib)
        ib.cancelOrder(trade.order)
        await settled(ib, trade, "Cancelled")
        await until(ib, lambda: bool(errors))
        assert errors[0][:2] == (trade.order.orderId, 202)


async def test_cancelling_the_unknown_is_10147_and_the_finished_10148(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        trade = await settled(ib, ib.placeOrder(aapl(), market("BUY", 1)), "Filled")
        errors = errors_of(ib)
        calls(ib).cancelOrder(trade.order.orderId)
        calls(ib).cancelOrder(9999)
        await until(ib, lambda: len(errors) == 2)
        assert [(req_id, code) for req_id, code, _ in errors] == [(trade.order.orderId, 10148), (9999, 10147)]


async def test_a_global_cancel_ends_the_orders_of_every_client(gateway: SimulatedGateway) -> None:
    async with connected(gateway, 1) as one, connected(gateway, 2) as two:
        mine = await settled(one, one.placeOrder(aapl(), limit("BUY", 1, 100)), "Submitted")
        theirs = await settled(two, two.placeOrder(aapl(), limit("BUY", 1, 101)), "Submitted")
        calls(one).reqGlobalCancel()
        await settled(one, mine, "Cancelled")
        await settled(two, theirs, "Cancelled")


async def test_a_modification_keeps_the_perm_id_and_changes_the_price(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        trade = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 10, 150)), "Submitted")
        perm_id = trade.order.permId
        trade.order.lmtPrice = 151.5
        trade.order.totalQuantity = 12
        ib.placeOrder(aapl(), trade.order)
        await until(ib, lambda: trade.orderStatus.remaining == 12)
        [order] = gateway.control.orders()
        assert (order.perm_id, order.limit_price, order.quantity) == (perm_id, Decimal("151.5"), Decimal(12))
        assert [entry.kind for entry in gateway.control.ledger()] == ["place", "modify"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"action": "SELL"}, 105),
        ({"orderType": "MKT"}, 329),
        ({"lmtPrice": 150.001}, 110),
        ({"totalQuantity": 0}, 434),
    ],
)
async def test_a_modification_that_breaks_a_rule_leaves_the_order_alone(
    gateway: SimulatedGateway, change: dict[str, object], code: int
) -> None:
    async with connected(gateway) as ib:
        trade = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 10, 150)), "Submitted")
        errors = errors_of(ib)
        for name, value in change.items():
            setattr(trade.order, name, value)
        ib.placeOrder(aapl(), trade.order)
        await until(ib, lambda: bool(errors))
        assert errors[0][:2] == (trade.order.orderId, code)
        [order] = gateway.control.orders()
        assert (order.status, order.limit_price, order.quantity) == ("Submitted", Decimal(150), Decimal(10))


async def test_a_filled_order_cannot_be_modified(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        trade = await settled(ib, ib.placeOrder(aapl(), market("BUY", 1)), "Filled")
        errors = errors_of(ib)
        calls(ib).placeOrder(trade.order.orderId, aapl(), market("BUY", 2))
        await until(ib, lambda: bool(errors))
        assert errors[0][:2] == (trade.order.orderId, 104)


async def test_only_the_client_that_placed_an_order_may_change_or_cancel_it(gateway: SimulatedGateway) -> None:
    async with connected(gateway, 1) as owner, connected(gateway, 2) as other:
        trade = await settled(owner, owner.placeOrder(aapl(), limit("BUY", 10, 150)), "Submitted")
        errors = errors_of(other)
        calls(other).cancelOrder(trade.order.orderId)
        await until(other, lambda: bool(errors))
        assert errors[0][1] == 10147
        [order] = gateway.control.orders()
        assert order.status == "Submitted"


async def test_an_order_id_that_was_used_before_is_refused_with_103(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 100, orderId=50)), "Submitted")
        errors = errors_of(ib)
        calls(ib).placeOrder(49, aapl(), limit("BUY", 1, 100))
        await until(ib, lambda: bool(errors))
        assert errors[0][:2] == (49, 103)
        assert len(gateway.control.orders()) == 1


async def test_perm_ids_are_unique_over_clients_with_the_same_order_ids(gateway: SimulatedGateway) -> None:
    async with connected(gateway, 1) as one, connected(gateway, 2) as two:
        trades = [
            await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 100, orderId=70)), "Submitted") for ib in (one, two)
        ]
        assert len({trade.order.permId for trade in trades}) == 2


async def test_a_what_if_order_shows_the_margin_and_leaves_nothing_behind(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        state = await ib.whatIfOrderAsync(aapl(), limit("BUY", 10, 150))
        assert float(state.initMarginChange) == 450
        assert state.commission == 1.0
        assert gateway.control.orders() == []
        assert [entry.what_if for entry in gateway.control.ledger()] == [True]


async def test_children_wait_for_their_parent_and_the_first_to_fill_cancels_the_other(
    gateway: SimulatedGateway,
) -> None:
    gateway.control.move_price(AAPL, Decimal(200))
    async with connected(gateway) as ib:
        bracket = ib.bracketOrder("BUY", 10, 195, takeProfitPrice=210, stopLossPrice=190, tif="GTC")
        entry, profit, loss = (ib.placeOrder(aapl(), order) for order in bracket)
        await settled(ib, entry, "Submitted")
        await settled(ib, profit, "PreSubmitted")
        await until(ib, lambda: loss.orderStatus.whyHeld == "child")
        gateway.control.move_price(AAPL, Decimal(195))
        gateway.control.move_price(AAPL, Decimal("194.90"))
        await settled(ib, entry, "Filled")
        await settled(ib, profit, "Submitted")
        gateway.control.move_price(AAPL, Decimal(189))
        await settled(ib, loss, "Filled")
        await settled(ib, profit, "Cancelled")


async def test_one_filled_order_of_a_group_cancels_the_others(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        low = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 150, ocaGroup="g")), "Submitted")
        lower = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 140, ocaGroup="g")), "Submitted")
        gateway.control.move_price(AAPL, Decimal("149.90"))
        await settled(ib, low, "Filled")
        await settled(ib, lower, "Cancelled")


@pytest.mark.parametrize(("tif", "price", "status"), [("IOC", 100, "Cancelled"), ("IOC", 999, "Filled")])
async def test_an_immediate_order_fills_or_dies(gateway: SimulatedGateway, tif: str, price: float, status: str) -> None:
    async with connected(gateway) as ib:
        await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, price, tif=tif)), status)


async def test_a_fill_or_kill_order_never_fills_in_part(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        trade = ib.placeOrder(aapl(), limit("BUY", 90_000, 1, tif="FOK"))
        await settled(ib, trade, "Cancelled")
        assert trade.orderStatus.filled == 0


async def test_what_the_client_said_is_echoed(gateway: SimulatedGateway) -> None:
    async with connected(gateway, 1) as ib, connected(gateway, 2) as other:
        order = limit("SELL", 7, 998.25, orderRef="k-17", tif="GTC", outsideRth=True, account="DU1234567")
        await settled(ib, ib.placeOrder(aapl(), order), "Submitted")
        [seen] = await other.reqAllOpenOrdersAsync()
        assert (seen.order.clientId, seen.order.orderRef, seen.order.tif) == (1, "k-17", "GTC")
        assert (seen.order.outsideRth, seen.order.account, seen.order.lmtPrice) == (True, "DU1234567", 998.25)
        assert (seen.contract.conId, seen.contract.right) == (AAPL, "?")
        assert await other.reqOpenOrdersAsync() == []


async def test_the_algorithm_and_the_conditions_of_an_order_are_echoed(gateway: SimulatedGateway) -> None:
    from ib_async import PriceCondition, TagValue

    async with connected(gateway, 1) as ib, connected(gateway, 2) as other:
        order = limit("BUY", 7, 98.25)
        order.algoStrategy = "Adaptive"
        order.algoParams = [TagValue("adaptivePriority", "Normal")]
        order.conditions = [PriceCondition(price=123.5, conId=AAPL, exch="SMART")]
        await settled(ib, ib.placeOrder(aapl(), order), "Submitted")
        [seen] = await other.reqAllOpenOrdersAsync()
        assert seen.order.algoStrategy == "Adaptive"
        assert seen.order.algoParams == [TagValue("adaptivePriority", "Normal")]
        assert seen.order.conditions == order.conditions


async def test_executions_pass_the_filter(gateway: SimulatedGateway) -> None:
    from ib_async import ExecutionFilter

    async with connected(gateway, 1) as ib, connected(gateway, 2) as other:
        await settled(ib, ib.placeOrder(aapl(), market("BUY", 1)), "Filled")
        msft = Stock("MSFT", "SMART", "USD")
        await settled(other, other.placeOrder(msft, market("SELL", 2)), "Filled")

        async def found(**fields: Any) -> list[str]:
            fills = await ib.reqExecutionsAsync(ExecutionFilter(**fields))
            return [fill.contract.symbol for fill in fills]

        assert await found() == ["AAPL", "MSFT"]
        assert await found(clientId=2) == ["MSFT"]
        assert await found(symbol="AAPL") == ["AAPL"]
        assert await found(side="SELL") == ["MSFT"]
        assert await found(time="20251119-15:59:00") == ["AAPL", "MSFT"]
        assert await found(time="20251119-23:00:00") == []


async def test_fills_of_a_contract_of_another_currency_settle_in_it(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        sap = Stock("SAP", "SMART", "EUR", primaryExchange="IBIS")
        await settled(ib, ib.placeOrder(sap, market("BUY", 10)), "Filled")
        await until(ib, lambda: _cash(ib, "EUR") < 25_000)
        assert _cash(ib, "USD") == 500_000


def _cash(ib: IB, currency: str) -> float:
    values = [value for value in ib.accountValues() if (value.tag, value.currency) == ("CashBalance", currency)]
    return min(float(value.value) for value in values)


@pytest.mark.parametrize(
    ("contract", "quantity", "fee"),
    [
        (Contract(secType="FUT", symbol="MES", exchange="CME", currency="USD"), 1, 2.25),
        (Contract(secType="OPT", symbol="AAPL", exchange="SMART", currency="USD", right="C", strike=270), 2, 1.30),
        (Forex("EURUSD"), 20_000, 2.00),
        (Crypto("ETH", "PAXOS", "USD"), 0.5, None),
    ],
    ids=["future", "option", "forex", "crypto"],
)
async def test_every_kind_of_contract_can_be_traded(
    gateway: SimulatedGateway, contract: Contract, quantity: float, fee: float | None
) -> None:
    async with connected(gateway) as ib:
        details = await ib.reqContractDetailsAsync(contract)
        exact = max(details, key=lambda one: one.realExpirationDate).contract
        assert exact is not None
        trade = await settled(ib, ib.placeOrder(exact, market("BUY", quantity)), "Filled")
        await until(ib, lambda: trade.fills[-1].commissionReport.execId != "")
        assert sum(fill.execution.shares for fill in trade.fills) == quantity
        charged = sum(fill.commissionReport.commission for fill in trade.fills)
        assert charged > 0 if fee is None else charged == pytest.approx(fee)


async def test_an_order_for_what_is_no_longer_listed_expires() -> None:
    clock = ManualClock(datetime(2025, 11, 19, 16, tzinfo=UTC))
    config = GatewayConfig(beat_seconds=QUICK_BEAT, market_moves=False)
    async with SimulatedGateway(config, clock) as gateway, connected(gateway) as ib:
        option = Contract(secType="OPT", symbol="AAPL", exchange="SMART", currency="USD", right="C", strike=270)
        details = await ib.reqContractDetailsAsync(option)
        exact = min(details, key=lambda one: one.realExpirationDate).contract
        assert exact is not None
        trade = await settled(ib, ib.placeOrder(exact, limit("BUY", 1, 0.01, tif="GTC")), "Submitted")
        gateway.control.advance(10 * 86_400)
        await settled(ib, trade, "Cancelled")
        assert gateway.control.orders()[0].completed_status == "Expired"


async def test_the_master_client_hears_of_all_orders(clock: ManualClock) -> None:
    config = GatewayConfig(beat_seconds=QUICK_BEAT, market_moves=False, master_client_id=7)
    async with SimulatedGateway(config, clock) as gateway, connected(gateway, 7) as master, connected(gateway, 1) as ib:
        seen: list[Contract] = []
        master.openOrderEvent += lambda trade: seen.append(trade.contract)
        await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 100)), "Submitted")
        await until(master, lambda: bool(seen))
