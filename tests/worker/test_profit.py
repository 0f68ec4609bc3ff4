"""Profit of the account and of each holding, as the gateway reckons it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.errors import WrongAccount

from .harness import Bridge, eventually, quiet_gateway, until

AAPL = 265598


async def test_account_and_positions_have_their_profit_in_their_currency(bridge: Bridge) -> None:
    pnl = await bridge.call("get_pnl")
    (account,) = pnl.accounts
    assert (account.account, account.currency) == ("DU1234567", "USD")
    assert None not in (account.daily, account.unrealized, account.realized, account.as_of)
    rows = {row.symbol: row for row in pnl.items}
    assert rows["SAP"].currency == "EUR"
    assert rows["AAPL"].quantity == 100
    quote = bridge.control.quote(AAPL)
    assert quote.last is not None
    assert rows["AAPL"].unrealized == (quote.last - Decimal("151.20")) * 100
    assert rows["AAPL"].daily is not None


async def test_one_contract_alone_and_one_that_is_not_held(bridge: Bridge) -> None:
    assert [row.con_id for row in (await bridge.call("get_pnl", con_id=AAPL)).items] == [AAPL]
    pnl = await bridge.call("get_pnl", con_id=8314)
    assert (pnl.items, pnl.note) == ([], "con_id 8314 is not held")


async def test_a_moved_price_shows_in_the_profit_without_another_subscription(bridge: Bridge) -> None:
    await bridge.call("get_pnl")
    asked = dict(bridge.control.counters().received)
    bridge.control.move_price(AAPL, Decimal(300))
    pnl = await eventually(
        lambda: bridge.call("get_pnl", con_id=AAPL), lambda one: one.items[0].unrealized == Decimal(14880)
    )
    assert pnl.items[0].market_value == 30_000
    for name in ("reqPnL", "reqPnLSingle"):
        assert bridge.control.counters().received[name] == asked[name]


@pytest.mark.parametrize("version", [157, 163, 164, 166, 170, 176, 177, 178])
async def test_it_and_greeks_work_with_every_generation_of_the_gateway(version: int) -> None:
    async with Bridge(quiet_gateway(server_version=version)) as bridge:
        assert (await bridge.call("get_pnl")).accounts[0].daily is not None
        options = await bridge.call("get_option_quotes", symbol="AAPL", expiration="2025-12-19", strikes=1)
        assert all(row.delta is not None for row in options.items)
        (row,) = (await bridge.call("get_contract_details", symbol="ES", sec_type="FUT", expiry="202512")).items
        assert row.multiplier == 50


async def test_accounts_are_kept_apart() -> None:
    async with Bridge(quiet_gateway(accounts=("DU1234567", "DU7654321"))) as bridge:
        assert [row.account for row in (await bridge.call("get_pnl")).accounts] == ["DU1234567", "DU7654321"]
        assert [row.account for row in (await bridge.call("get_pnl", account="DU7654321")).accounts] == ["DU7654321"]
        with pytest.raises(WrongAccount):
            await bridge.call("get_pnl", account="DU0000001")


async def test_profit_is_told_again_after_a_reconnection(bridge: Bridge) -> None:
    await bridge.call("get_pnl")
    bridge.control.drop_links()
    pnl = await eventually(lambda: _pnl_or_none(bridge), lambda one: one is not None and one[0] is not None)
    assert pnl is not None


async def test_what_is_no_longer_held_is_no_longer_asked_about() -> None:
    async with Bridge() as bridge:
        held = {row.con_id for row in (await bridge.call("get_pnl")).items}
        await bridge.call("place_market_order", symbol="AAPL", action="SELL", quantity=100)
        left = await eventually(lambda: bridge.call("get_positions"), lambda page: page.count == len(held) - 1)
        assert AAPL not in {row.con_id for row in left.items}
        await until(lambda: _asked_about(bridge) == len(held) - 1)


def _asked_about(bridge: Bridge) -> int:
    """Holdings whose profit the gateway is telling the worker."""
    (client,) = bridge.control.connections()
    return len([kind for kind, _ in client.streams if kind == "pnl single"])


async def _pnl_or_none(bridge: Bridge) -> tuple[Decimal | None] | None:
    try:
        return ((await bridge.call("get_pnl")).accounts[0].daily,)
    except Exception:
        return None
