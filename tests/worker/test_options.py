"""Options around the money with their greeks, contracts by expiry, strike and right, and what is listed of each."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from shared.contract.market_data import OptionChain
from shared.errors import AmbiguousContract, InvalidArgument, UnknownContract

from .harness import TRADING_HOURS, Bridge, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

MONTHLY = "2025-12-19"


async def _chain(bridge: Bridge, **more: object) -> list[OptionChain]:
    return (await bridge.call("get_option_chain", symbol="AAPL", **more)).items


async def test_option_quotes_bring_calls_and_puts_around_the_money_with_greeks(shared_bridge: Bridge) -> None:
    quotes = await shared_bridge.call("get_option_quotes", symbol="AAPL", expiration=MONTHLY, strikes=4)
    assert (quotes.symbol, quotes.expiration, quotes.multiplier, quotes.failed) == ("AAPL", MONTHLY, 100, [])
    assert [row.right for row in quotes.items] == ["C", "P"] * 4
    strikes = sorted({row.strike for row in quotes.items})
    assert quotes.underlying_price is not None
    assert strikes[0] < quotes.underlying_price < strikes[-1]
    for row in quotes.items:
        assert row.bid is not None
        assert row.ask is not None
        assert row.bid <= row.ask
        assert row.implied_volatility is not None
        assert 0 < row.implied_volatility < 3
        assert row.delta is not None
        assert 0 < abs(row.delta) < 1
        assert (row.delta > 0) is (row.right == "C")
        assert row.gamma is not None
        assert row.theta is not None
        assert row.vega is not None
    calls = [row.delta for row in quotes.items if row.right == "C" and row.delta is not None]
    assert all(lower > higher for lower, higher in pairwise(calls))


async def test_one_request_lists_a_whole_expiration_and_puts_alone_can_be_asked_for(shared_bridge: Bridge) -> None:
    await shared_bridge.call("get_option_quotes", symbol="MSFT", expiration=MONTHLY, strikes=2)
    before = shared_bridge.control.counters().received["reqContractDetails"]
    quotes = await shared_bridge.call("get_option_quotes", symbol="MSFT", expiration=MONTHLY, strikes=3, right="put")
    assert [row.right for row in quotes.items] == ["P"] * 3
    assert shared_bridge.control.counters().received["reqContractDetails"] == before


async def test_classes_that_expire_on_one_day_must_be_told_apart(shared_bridge: Bridge) -> None:
    asked = {"symbol": "SPX", "sec_type": "IND", "expiration": MONTHLY, "strikes": 1}
    with pytest.raises(InvalidArgument, match="SPX, SPXW"):
        await shared_bridge.call("get_option_quotes", **asked)
    quotes = await shared_bridge.call("get_option_quotes", **asked, trading_class="spxw")
    assert (quotes.trading_class, quotes.count) == ("SPXW", 2)


async def test_an_expiration_that_is_not_listed_is_refused_with_those_that_are(shared_bridge: Bridge) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await shared_bridge.call("get_option_quotes", symbol="AAPL", expiration="2025-12-24")
    assert MONTHLY in refused.value.action


async def test_a_chain_shows_as_many_strikes_as_asked_and_one_exchange(shared_bridge: Bridge) -> None:
    (smart,) = await _chain(shared_bridge, expiration=MONTHLY, strikes=5)
    assert (smart.exchange, len(smart.strikes)) == ("SMART", 5)
    (cboe,) = await _chain(shared_bridge, exchange="CBOE")
    assert cboe.exchange == "CBOE"


@pytest.mark.parametrize("right", ["C", "call", "Call"])
async def test_an_option_is_named_by_expiry_strike_and_right(shared_bridge: Bridge, right: str) -> None:
    price = await shared_bridge.call(
        "get_stock_price", symbol="AAPL", sec_type="OPT", expiry=MONTHLY, strike="190", right=right
    )
    (row,) = (await shared_bridge.call("get_contract_details", con_id=price.con_id)).items
    assert (row.expiry, row.strike, row.right, row.multiplier) == (MONTHLY, 190, "C", 100)


async def test_a_future_is_named_by_its_month(shared_bridge: Bridge) -> None:
    price = await shared_bridge.call("get_stock_price", symbol="ES", sec_type="FUT", expiry="2025-12")
    (row,) = (await shared_bridge.call("get_contract_details", con_id=price.con_id)).items
    assert (row.symbol, row.expiry) == ("ES", "2025-12-19")


async def test_a_multiplier_that_does_not_fit_finds_nothing(shared_bridge: Bridge) -> None:
    with pytest.raises(UnknownContract):
        await shared_bridge.call(
            "get_stock_price", symbol="ES", sec_type="FUT", expiry="202512", multiplier=5, currency="USD"
        )


async def test_what_is_left_out_of_an_option_is_ambiguous_for_a_price_and_listed_in_details(
    shared_bridge: Bridge,
) -> None:
    asked = {"symbol": "AAPL", "sec_type": "OPT", "expiry": MONTHLY, "strike": 190}
    with pytest.raises(AmbiguousContract):
        await shared_bridge.call("get_stock_price", **asked)
    rows = (await shared_bridge.call("get_contract_details", **asked)).items
    assert [row.right for row in rows] == ["C", "P"]


@pytest.mark.parametrize("more", [{"strike": 100}, {"right": "C"}, {"expiry": "2025-12-19"}])
async def test_an_option_without_its_type_is_refused(shared_bridge: Bridge, more: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument, match="need sec_type"):
        await shared_bridge.call("get_stock_price", symbol="AAPL", **more)


async def test_details_tell_tick_exchanges_and_the_next_regular_hours(shared_bridge: Bridge) -> None:
    (row,) = (await shared_bridge.call("get_contract_details", symbol="AAPL")).items
    assert (row.con_id, row.currency, row.primary_exchange, row.exchange_tz) == (265598, "USD", "NASDAQ", "US/Eastern")
    assert row.min_tick is not None
    assert "SMART" in row.exchanges
    assert row.name
    if datetime.now(UTC).date() <= TRADING_HOURS.date():
        assert row.regular_sessions[0].opens == datetime(2025, 11, 19, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"symbol": "SPX", "sec_type": "IND"}, "IND"),
        ({"symbol": "EUR.USD", "sec_type": "CASH"}, "CASH"),
        ({"symbol": "BTC", "sec_type": "CRYPTO"}, "CRYPTO"),
        ({"symbol": "ES", "sec_type": "FUT", "expiry": "202512"}, "FUT"),
    ],
)
async def test_every_type_is_described(shared_bridge: Bridge, asked: dict[str, object], expected: str) -> None:
    (row,) = (await shared_bridge.call("get_contract_details", **asked)).items
    assert row.sec_type == expected


async def test_hundreds_of_options_come_in_pages(shared_bridge: Bridge) -> None:
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = await shared_bridge.call(
            "get_contract_details", symbol="AAPL", sec_type="OPT", expiry=MONTHLY, cursor=cursor
        )
        seen += [row.con_id for row in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert len(seen) == len(set(seen)) > 50


async def test_options_of_one_underlying_are_told_apart_wherever_they_are_held_or_ordered() -> None:
    async with Bridge() as bridge:
        said = {"symbol": "AAPL", "sec_type": "OPT", "expiry": MONTHLY, "action": "BUY", "quantity": 1}
        for strike, right in (("190", "C"), ("185", "P")):
            await bridge.call("place_market_order", **said, strike=strike, right=right, client_order_id=right)
        call, put = f"AAPL  {MONTHLY[2:]}C00190000".replace("-", ""), f"AAPL  {MONTHLY[2:]}P00185000".replace("-", "")
        placed = await bridge.call("place_limit_order", **said, strike="190", right="C", limit_price="0.05")
        assert (placed.symbol, placed.local_symbol) == ("AAPL", call)
        orders = (await bridge.call("get_orders")).items
        assert {row.local_symbol for row in orders} == {call, put}
        fills = (await bridge.call("get_executions")).items
        assert {row.local_symbol for row in fills} == {call, put}
        listing = await eventually(
            lambda: bridge.call("get_positions"),
            lambda found: {call, put} <= {row.local_symbol for row in found.items},
        )
        held = {row.local_symbol: row for row in listing.items}
        assert held[call].multiplier == 100
        assert held["AAPL"].multiplier is None
        profit = await bridge.call("get_pnl")
        assert {call, put} <= {row.local_symbol for row in profit.items}


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        ({"symbol": "AAPL", "sec_type": "OPT", "expiry": MONTHLY, "strike": "1.5", "right": "C"}, "get_option_chain"),
        ({"symbol": "ES", "sec_type": "FUT", "exchange": "CME", "expiry": "2031-01-01"}, "get_contract_details"),
        ({"symbol": "EUR.USD"}, "sec_type CASH"),
        ({"symbol": "NOSUCH"}, "search_contracts"),
        ({"symbol": "ES", "sec_type": "FUT", "exchange": "CME"}, "with expiry"),
    ],
    ids=["an option", "a future", "a currency pair", "a stock", "several futures"],
)
async def test_an_error_about_a_contract_names_what_finds_the_right_one(
    shared_bridge: Bridge, asked: dict[str, str], advice: str
) -> None:
    with pytest.raises((UnknownContract, AmbiguousContract)) as refused:
        await shared_bridge.call("get_stock_price", **asked)
    assert advice in refused.value.action
