from __future__ import annotations

from decimal import Decimal

import pytest
from ib_async import IB

from simulated_gateway import GatewayConfig, ManualClock, OpeningPosition, SimulatedGateway

from .clients import AAPL, MSFT, QUICK_BEAT, aapl, calls, connected, errors_of, market, raw, settled, until

TWO_ACCOUNTS = GatewayConfig(accounts=("DU1", "DU2"), beat_seconds=QUICK_BEAT, market_moves=False)


def values(ib: IB, tag: str) -> dict[str, Decimal]:
    return {value.currency: Decimal(value.value) for value in ib.accountValues() if value.tag == tag}


async def test_cash_is_kept_by_currency_and_summed_as_base(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        cash, rates = values(ib, "CashBalance"), values(ib, "ExchangeRate")
        assert cash.keys() == {"BASE", "EUR", "USD"}
        assert cash["USD"] == 500_000
        assert cash["EUR"] == 25_000
        assert rates["USD"] == 1
        assert abs(cash["BASE"] - (500_000 + 25_000 * rates["EUR"])) < 1


async def test_the_net_value_is_the_sum_of_its_parts(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        [net] = values(ib, "NetLiquidation").values()
        assert net == values(ib, "NetLiquidationByCurrency")["BASE"]
        assert net == values(ib, "CashBalance")["BASE"] + values(ib, "StockMarketValue")["BASE"]


async def test_the_summary_has_the_asked_tags_with_their_currency(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        client.send(62, 1, 5, "All", "NetLiquidation,AccountType,$LEDGER:EUR")
        rows: list[list[str]] = []
        while (frame := await client.frame())[0] == "63":
            rows.append(frame)
        assert frame == ["64", "1", "5"]
        assert all(len(row) == 7 for row in rows)
        by_tag = {row[4]: row for row in rows}
        assert by_tag["NetLiquidation"][6] == "USD"
        assert by_tag["AccountType"][5:] == ["INDIVIDUAL", ""]
        assert by_tag["CashBalance"][5:] == ["25000.00", "EUR"]


async def test_a_third_summary_at_once_is_refused(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        for req_id in (1, 2, 3):
            client.send(62, 1, req_id, "All", "NetLiquidation")
        assert (await client.message(4))[2:4] == ["3", "322"]
        client.send(63, 1, 1)
        client.send(62, 1, 4, "All", "NetLiquidation")
        assert (await client.message(64))[2] == "4"


async def test_account_updates_come_again_after_a_fill_and_at_the_refresh(clock: ManualClock) -> None:
    config = GatewayConfig(beat_seconds=QUICK_BEAT, market_moves=False, account_refresh=180)
    async with SimulatedGateway(config, clock) as gateway, raw(gateway) as client:
        client.send(6, 2, 1, "DU1234567")
        assert await client.message(54) == ["54", "1", "DU1234567"]
        gateway.control.advance(181)
        assert await client.message(54) == ["54", "1", "DU1234567"]
        async with connected(gateway, 1) as ib:
            await settled(ib, ib.placeOrder(aapl(), market("BUY", 1)), "Filled")
            assert (await client.message(7))[13] == "101"


async def test_ended_account_updates_come_no_more(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        client.send(6, 2, 1, "")
        await client.message(54)
        client.send(6, 2, 0, "")
        client.send(49, 1)
        await client.message(49)
        gateway.control.advance(500)
        client.send(49, 1)
        assert (await client.frame())[0] == "49"


async def test_each_account_has_its_own_positions(clock: ManualClock) -> None:
    async with SimulatedGateway(TWO_ACCOUNTS, clock) as gateway, connected(gateway) as ib:
        await settled(ib, ib.placeOrder(aapl(), market("BUY", 5, account="DU2")), "Filled")
        held = {view.account: view.quantity for view in gateway.control.positions() if view.con_id == AAPL}
        assert held == {"DU1": 100, "DU2": 105}


async def test_an_unknown_account_is_an_error_not_a_silence(clock: ManualClock) -> None:
    async with SimulatedGateway(TWO_ACCOUNTS, clock) as gateway, raw(gateway) as client:
        for request in ((92, 7, "DU9", ""), (94, 7, "DU9", "", AAPL), (76, 1, 7, "DU9", "", 0), (74, 1, 7, "DU9", "")):
            client.send(*request)
            assert (await client.message(4))[2:4] == ["7", "321"]


async def test_profit_and_loss_follow_the_market(gateway: SimulatedGateway) -> None:
    gateway.control.move_price(AAPL, Decimal(200))
    async with connected(gateway) as ib:
        pnl = ib.reqPnL("DU1234567")
        single = ib.reqPnLSingle("DU1234567", "", AAPL)
        await until(ib, lambda: single.value == 20_000 and pnl.dailyPnL == pnl.dailyPnL)
        assert single.position == 100
        assert single.unrealizedPnL == pytest.approx((200 - 151.20) * 100)
        before = pnl.dailyPnL
        gateway.control.move_price(AAPL, Decimal(201))
        gateway.control.advance(1)
        await until(ib, lambda: single.value == 20_100)
        assert single.unrealizedPnL == pytest.approx((201 - 151.20) * 100)
        await until(ib, lambda: pnl.dailyPnL == pytest.approx(before + 100))


async def test_profit_and_loss_of_a_contract_that_is_not_held_is_unset(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        client.send(94, 7, "DU1234567", "", 8314)
        assert await client.message(95) == ["95", "7", "0", *["1.7976931348623157E308"] * 4]


async def test_the_days_profit_counts_what_was_traded_today(gateway: SimulatedGateway) -> None:
    gateway.control.move_price(MSFT, Decimal(500))
    async with connected(gateway) as ib:
        single = ib.reqPnLSingle("DU1234567", "", MSFT)
        await until(ib, lambda: single.value == 25_000)
        before = single.dailyPnL
        contract = aapl()
        contract.conId, contract.symbol = MSFT, "MSFT"
        await settled(ib, ib.placeOrder(contract, market("SELL", 50)), "Filled")
        gateway.control.move_price(MSFT, Decimal(400))
        gateway.control.advance(1)
        await until(ib, lambda: single.position == 0)
        assert single.dailyPnL == pytest.approx(before - 1)


async def test_a_position_that_turns_from_long_to_short_costs_what_it_was_sold_for(clock: ManualClock) -> None:
    opening = (OpeningPosition(symbol="AAPL", quantity=Decimal(5), cost=Decimal(100)),)
    config = GatewayConfig(opening_positions=opening, beat_seconds=QUICK_BEAT, market_moves=False)
    async with SimulatedGateway(config, clock) as gateway, connected(gateway) as ib:
        gateway.control.move_price(AAPL, Decimal(200))
        trade = await settled(ib, ib.placeOrder(aapl(), market("SELL", 8)), "Filled")
        await until(ib, lambda: trade.fills[0].commissionReport.execId != "")
        assert trade.fills[0].commissionReport.realizedPNL == 499.38
        [position] = gateway.control.positions()
        assert position.quantity == -3
        assert position.average_cost == Decimal("199.875")


async def test_multi_account_requests_answer_under_their_id(clock: ManualClock) -> None:
    async with SimulatedGateway(TWO_ACCOUNTS, clock) as gateway, raw(gateway) as client:
        client.send(76, 1, 5, "DU2", "", 0)
        row = await client.message(73)
        assert (len(row), row[2], row[3]) == (8, "5", "DU2")
        assert await client.message(74) == ["74", "1", "5"]
        client.send(74, 1, 6, "DU2", "")
        row = await client.message(71)
        assert (len(row), row[2], row[3]) == (18, "6", "DU2")
        assert await client.message(72) == ["72", "1", "6"]


async def test_live_accounts_work_like_paper_ones(clock: ManualClock) -> None:
    config = GatewayConfig(accounts=("U7654321",))
    async with SimulatedGateway(config, clock) as gateway, connected(gateway) as ib:
        assert ib.managedAccounts() == ["U7654321"]
        errors = errors_of(ib)
        calls(ib).reqCurrentTime()
        assert errors == []
