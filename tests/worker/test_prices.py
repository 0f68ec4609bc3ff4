"""Prices now: what there is, of which kind, and nothing that there is not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from shared.contract.market_data import DataKind
from shared.errors import AmbiguousContract, CompetingSession, InvalidArgument, NotSubscribed, UnknownContract
from simulated_gateway import ManualClock

from .harness import Bridge, eventually, open_lines

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUNDAY = datetime(2025, 11, 16, 16, 0, tzinfo=UTC)


async def test_a_live_price_is_what_the_gateway_quotes(shared_bridge: Bridge) -> None:
    price = await shared_bridge.call("get_stock_price", symbol="AAPL")
    quote = shared_bridge.control.quote(265598)
    assert (price.symbol, price.con_id, price.currency) == ("AAPL", 265598, "USD")
    assert (price.bid, price.ask, price.last) == (quote.bid, quote.ask, quote.last)
    assert (price.close, price.volume) == (quote.close, quote.volume)
    assert price.data_kind is DataKind.LIVE
    assert price.exchange_tz is not None
    assert price.note is None


async def test_delayed_prices_say_so(shared_bridge: Bridge) -> None:
    price = await shared_bridge.call("get_stock_price", symbol="7203", currency="JPY")
    assert price.data_kind in {DataKind.DELAYED, DataKind.DELAYED_FROZEN}
    assert price.currency == "JPY"
    assert price.last is not None
    assert price.note is not None
    assert "delayed" in price.note
    assert price.missing_subscription == "STK at TSEJ"


async def test_data_that_is_not_subscribed_is_a_typed_error(shared_bridge: Bridge) -> None:
    with pytest.raises(NotSubscribed) as refused:
        await shared_bridge.call("get_stock_price", symbol="AIR", currency="EUR")
    assert "not subscribed" in refused.value.fact
    assert "subscribe to market data for AIR " in refused.value.action


async def test_a_refused_line_is_refused_again_and_not_hung_on(shared_bridge: Bridge) -> None:
    for _ in range(2):
        with pytest.raises(NotSubscribed):
            await shared_bridge.call("get_stock_price", symbol="AIR", currency="EUR")


async def test_a_fresh_listing_has_no_last_close_or_volume(shared_bridge: Bridge) -> None:
    price = await shared_bridge.call("get_stock_price", symbol="NIPO")
    assert (price.last, price.close, price.volume) == (None, None, None)
    assert price.bid is not None
    assert price.ask is not None


async def test_a_stock_without_a_book_has_no_bid_or_ask(shared_bridge: Bridge) -> None:
    price = await shared_bridge.call("get_stock_price", symbol="NOBK")
    assert (price.bid, price.ask) == (None, None)
    assert price.last is not None


async def test_an_index_has_a_level_and_no_book(shared_bridge: Bridge) -> None:
    price = await shared_bridge.call("get_stock_price", symbol="SPX", sec_type="IND")
    assert (price.bid, price.ask, price.volume) == (None, None, None)
    assert price.last is not None


async def test_a_missing_value_is_waited_for_once_and_not_at_every_question(shared_bridge: Bridge) -> None:
    await shared_bridge.call("get_stock_price", symbol="NIPO")
    for _ in range(20):  # five seconds each would end far beyond the time limit of a test
        await shared_bridge.call("get_stock_price", symbol="NIPO")


@pytest.mark.parametrize("written", ["EUR.USD", "EURUSD", "EUR/USD", "eurusd", "EUR"])
async def test_forex_is_understood_in_every_usual_spelling(shared_bridge: Bridge, written: str) -> None:
    price = await shared_bridge.call("get_stock_price", symbol=written, sec_type="CASH")
    assert (price.symbol, price.currency, price.con_id) == ("EUR", "USD", 12087792)
    assert (price.last, price.volume) == (None, None)
    assert price.bid is not None


async def test_a_con_id_alone_names_forex(shared_bridge: Bridge) -> None:
    price = await shared_bridge.call("get_stock_price", con_id="12087792")
    assert (price.symbol, price.currency) == ("EUR", "USD")


async def test_a_con_id_alone_names_a_future(shared_bridge: Bridge) -> None:
    with pytest.raises(AmbiguousContract) as several:
        await shared_bridge.call("get_stock_price", symbol="ES", sec_type="FUT", exchange="CME")
    con_id = int(several.value.fact.split("con_id ")[1].split(")")[0])
    price = await shared_bridge.call("get_stock_price", con_id=con_id)
    assert (price.symbol, price.con_id, price.currency) == ("ES", con_id, "USD")
    assert price.bid is not None


async def test_crypto_is_found_at_its_own_exchange(shared_bridge: Bridge) -> None:
    price = await shared_bridge.call("get_stock_price", symbol="btc", sec_type="crypto")
    assert (price.symbol, price.currency) == ("BTC", "USD")
    assert price.bid is not None


async def test_a_con_id_that_contradicts_its_symbol_is_refused(shared_bridge: Bridge) -> None:
    with pytest.raises(UnknownContract, match="AAPL"):
        await shared_bridge.call("get_stock_price", con_id=265598, symbol="MSFT")


async def test_an_unknown_symbol_and_an_unknown_con_id_are_typed_errors(shared_bridge: Bridge) -> None:
    with pytest.raises(UnknownContract, match="NOSUCH"):
        await shared_bridge.call("get_stock_price", symbol="NOSUCH")
    with pytest.raises(UnknownContract, match="424242424"):
        await shared_bridge.call("get_stock_price", con_id=424242424)


async def test_an_exchange_the_contract_does_not_know_is_refused(shared_bridge: Bridge) -> None:
    with pytest.raises(InvalidArgument):
        await shared_bridge.call("get_stock_price", symbol="AAPL", exchange="LSE")


@pytest.mark.parametrize("written", ["BRK.B", "BRK-B", "BRK/B", "brk.b", "BRK B"])
async def test_share_classes_are_understood_and_the_answer_says_so(shared_bridge: Bridge, written: str) -> None:
    price = await shared_bridge.call("get_stock_price", symbol=written)
    assert price.symbol == "BRK B"
    if written != "BRK B":
        assert price.note is not None
        assert "BRK B" in price.note


async def test_equal_symbols_of_two_currencies_are_told_apart(shared_bridge: Bridge) -> None:
    euro = await shared_bridge.call("get_stock_price", symbol="SAP", currency="EUR")
    dollar = await shared_bridge.call("get_stock_price", symbol="SAP")
    assert (euro.currency, dollar.currency) == ("EUR", "USD")
    assert euro.con_id != dollar.con_id


async def test_a_hundred_questions_about_one_contract_open_one_line(shared_bridge: Bridge) -> None:
    before = len(open_lines(shared_bridge))
    prices = await asyncio.gather(*(shared_bridge.text("get_stock_price", symbol="KO") for _ in range(100)))
    assert len(set(prices)) == 1
    assert len(open_lines(shared_bridge)) == before + 1


async def test_a_closed_market_gives_frozen_prices() -> None:
    async with Bridge(clock=ManualClock(SUNDAY, running=True)) as bridge:
        price = await bridge.call("get_stock_price", symbol="AAPL")
        assert price.data_kind is DataKind.FROZEN
        assert price.last is not None


async def test_a_competing_session_is_named_and_passes() -> None:
    async with Bridge() as bridge:
        bridge.control.compete()
        with pytest.raises(CompetingSession):
            await bridge.call("get_stock_price", symbol="AAPL")
        assert bridge.worker.status().competing_session
        bridge.control.compete(on=False)
        assert (await bridge.call("get_stock_price", symbol="AAPL")).last is not None
        assert not bridge.worker.status().competing_session


async def test_a_competing_session_that_takes_a_warm_line_ends_its_prices() -> None:
    async with Bridge() as bridge:
        await bridge.call("get_stock_price", symbol="AAPL")
        bridge.control.compete()
        with pytest.raises(CompetingSession, match="competing live session") as refused:
            await eventually(lambda: bridge.call("get_stock_price", symbol="AAPL"), lambda _: False)
        assert "end the other session" in refused.value.action


async def test_a_moved_price_is_seen() -> None:
    async with Bridge() as bridge:
        await bridge.call("get_stock_price", symbol="MSFT")
        bridge.control.move_price(272093, Decimal("501.25"))
        await eventually(
            lambda: bridge.call("get_stock_price", symbol="MSFT"), lambda price: price.last == Decimal("501.25")
        )
