"""What the accounts hold and are worth."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from shared.errors import InvalidArgument, WrongAccount
from simulated_gateway import OpeningPosition

from .harness import Bridge, eventually, quiet_gateway

TWO = ("DU1111111", "DU2222222")


async def test_the_summary_gives_every_total_in_the_base_currency(bridge: Bridge) -> None:
    summary = await bridge.call("get_account_summary")
    assert summary.account == "DU1234567"
    assert summary.base_currency == "USD"
    totals = (
        ("NetLiquidation", summary.net_liquidation),
        ("CashBalance", summary.cash_balance),
        ("TotalCashValue", summary.total_cash_value),
        ("BuyingPower", summary.buying_power),
        ("AvailableFunds", summary.available_funds),
        ("ExcessLiquidity", summary.excess_liquidity),
        ("InitMarginReq", summary.initial_margin),
        ("MaintMarginReq", summary.maintenance_margin),
        ("GrossPositionValue", summary.gross_position_value),
    )
    for tag, total in totals:
        assert total is not None, tag
        assert (total.tag, total.currency, total.account) == (tag, "USD", "DU1234567")
        assert total.value > 0
    assert summary.as_of.tzinfo is not None


async def test_a_second_currency_never_overwrites_the_first(bridge: Bridge) -> None:
    summary = await bridge.call("get_account_summary")
    cash = {amount.currency: amount.value for amount in summary.cash_by_currency}
    assert cash == {"EUR": Decimal(25_000), "USD": Decimal(500_000)}
    assert summary.cash_balance is not None
    assert summary.cash_balance.value > Decimal(500_000) + Decimal(25_000)  # a euro is worth more than a dollar here


async def test_positions_carry_their_value_and_profit(bridge: Bridge) -> None:
    listing = await bridge.call("get_positions")
    rows = {row.symbol: row for row in listing.items}
    assert sorted(rows) == ["AAPL", "MSFT", "SAP", "TSLA"]
    assert (listing.count, listing.truncated, listing.next_cursor) == (4, False, None)
    apple = rows["AAPL"]
    price = bridge.control.quote(apple.con_id).last
    assert price is not None
    assert (apple.account, apple.sec_type, apple.exchange) == ("DU1234567", "STK", "NASDAQ")
    assert (apple.currency, apple.con_id) == ("USD", 265598)
    assert (apple.quantity, apple.avg_cost) == (100, Decimal("151.2"))
    assert (apple.market_price, apple.market_value) == (price, price * 100)
    assert apple.unrealized_pnl == price * 100 - Decimal(15_120)
    assert apple.realized_pnl == 0
    assert rows["SAP"].currency == "EUR"


async def test_a_short_position_has_a_negative_quantity_and_value_and_a_positive_price(bridge: Bridge) -> None:
    rows = {row.symbol: row for row in (await bridge.call("get_positions")).items}
    short = rows["TSLA"]
    assert short.market_value is not None
    assert short.market_price is not None
    assert (short.quantity, short.market_value < 0, short.market_price > 0) == (-10, True, True)


async def test_a_bought_share_shows_in_the_positions(bridge: Bridge) -> None:
    await bridge.call("place_market_order", symbol="IBM", action="BUY", quantity=3, client_order_id="ibm")
    listing = await eventually(lambda: bridge.call("get_positions"), lambda found: found.count == 5)
    rows = {row.symbol: row for row in listing.items}
    assert rows["IBM"].quantity == 3
    assert rows["IBM"].market_value is not None


async def test_a_position_that_was_closed_is_gone(bridge: Bridge) -> None:
    assert "AAPL" in {row.symbol for row in (await bridge.call("get_positions")).items}
    await bridge.call("place_market_order", symbol="AAPL", action="SELL", quantity=100, client_order_id="out")
    listing = await eventually(lambda: bridge.call("get_positions"), lambda found: found.count == 3)
    assert "AAPL" not in {row.symbol for row in listing.items}


async def test_a_profit_that_moves_is_told_anew(bridge: Bridge) -> None:
    await bridge.call("get_positions")
    bridge.control.move_price(265598, Decimal(400))

    async def worth() -> Decimal | None:
        return {row.symbol: row.market_value for row in (await bridge.call("get_positions")).items}["AAPL"]

    await eventually(worth, lambda value: value == 40_000)


async def test_an_account_without_positions_has_an_empty_list() -> None:
    async with Bridge(quiet_gateway(opening_positions=())) as bridge:
        listing = await bridge.call("get_positions")
        assert (listing.items, listing.count, listing.truncated) == ([], 0, False)


async def test_with_several_accounts_the_summary_asks_which_and_names_them() -> None:
    async with Bridge(quiet_gateway(accounts=TWO)) as bridge:
        with pytest.raises(InvalidArgument, match="DU1111111, DU2222222"):
            await bridge.call("get_account_summary")
        assert (await bridge.call("get_account_summary", account="du2222222")).account == "DU2222222"


async def test_with_several_accounts_lists_give_all_or_the_one_named() -> None:
    async with Bridge(quiet_gateway(accounts=TWO)) as bridge:
        everything = await bridge.call("get_positions")
        one = await bridge.call("get_positions", account=TWO[1])
        assert {row.account for row in everything.items} == set(TWO)
        assert {row.account for row in one.items} == {TWO[1]}
        assert everything.count == 2 * one.count


@pytest.mark.parametrize("tool", ["get_account_summary", "get_positions", "get_orders"])
async def test_a_foreign_account_is_refused_with_ours(bridge: Bridge, tool: str) -> None:
    with pytest.raises(WrongAccount, match="DU1234567"):
        await bridge.text(tool, account="U9999999")


async def test_a_long_list_of_positions_is_cut_into_pages_without_gap_or_repeat() -> None:
    symbols = ["AAPL", "MSFT", "IBM", "TSLA", "AMZN", "NVDA", "GOOG", "GOOGL", "META", "NFLX", "AMD", "INTC", "CSCO"]
    holdings = tuple(OpeningPosition(symbol=symbol, quantity=Decimal(7), cost=Decimal("12.345")) for symbol in symbols)
    accounts = tuple(f"DU{number}" for number in range(1_000_001, 1_000_009))
    async with Bridge(quiet_gateway(accounts=accounts, opening_positions=holdings)) as bridge:
        seen: list[tuple[str, str]] = []
        cursor: str | None = None
        pages = 0
        while True:
            text = await bridge.text("get_positions", cursor=cursor)
            assert len(text) <= 20_000
            page = await bridge.call("get_positions", cursor=cursor)
            seen += [(row.account, row.symbol) for row in page.items]
            pages += 1
            cursor = page.next_cursor
            if cursor is None:
                break
        assert pages > 1
        assert len(seen) == len(set(seen)) == len(symbols) * len(accounts)


async def test_the_time_of_an_answer_is_now_and_in_utc(bridge: Bridge) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    listing = await bridge.call("get_positions")
    assert before <= listing.as_of
    assert '"as_of":"' in (text := await bridge.text("get_positions"))
    assert text.count("+00:00") == 0
