"""The gateway's lines are shared, few and fresh: never one above the limit, and opened anew after a loss."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial

import pytest

from broker_worker.gateway.budget import Lane
from broker_worker.market_data import quotes
from shared.contract.market_data import DataKind
from shared.errors import BridgeError, Busy, GatewayUnavailable
from simulated_gateway import Limits

from .harness import Bridge, eventually, open_lines, quiet_gateway, until

AAPL, MSFT = 265598, 272093
MANY = ["AAPL", "MSFT", "IBM", "TSLA", "AMZN", "NVDA", "GOOG", "META", "NFLX", "AMD", "INTC", "CSCO"]


async def _price(bridge: Bridge, symbol: str) -> Decimal | None:
    return (await bridge.call("get_stock_price", symbol=symbol)).last


async def test_more_contracts_than_lines_take_turns_and_the_gateway_never_sees_one_too_many() -> None:
    gateway = quiet_gateway(limits=Limits(market_data_lines=3))
    async with Bridge(gateway, max_market_data_lines=3) as bridge:
        prices = await asyncio.gather(*(_price(bridge, symbol) for symbol in MANY))
        assert all(price is not None for price in prices)
        counters = bridge.control.counters()
        assert (counters.most_lines, counters.violations[101]) == (3, 0)
        assert counters.received["reqMktData"] == len(MANY)


async def test_the_least_recently_asked_line_gives_up_its_place() -> None:
    async with Bridge(max_market_data_lines=2) as bridge:
        for symbol in ("AAPL", "MSFT", "AAPL", "IBM"):
            await _price(bridge, symbol)
        opened = bridge.control.counters().received["reqMktData"]
        await _price(bridge, "AAPL")
        assert bridge.control.counters().received["reqMktData"] == opened  # AAPL stayed, MSFT went
        assert len(open_lines(bridge)) == 2


async def test_who_finds_no_line_in_time_is_refused_in_words_and_takes_none() -> None:
    async with Bridge(max_market_data_lines=2) as bridge:
        for symbol in ("AAPL", "MSFT", "IBM"):
            await bridge.call("get_contract_details", symbol=symbol)
        bridge.control.slow_down(3.0)
        waiting = [asyncio.create_task(_price(bridge, symbol)) for symbol in ("AAPL", "MSFT")]
        await until(lambda: len(open_lines(bridge)) == 2)
        with pytest.raises(Busy, match="line"):
            await bridge.text("get_stock_price", symbol="IBM", seconds=1.5)
        bridge.control.slow_down(0)
        assert None not in await asyncio.gather(*waiting)
        assert bridge.control.counters().received["reqMktData"] == 2


async def test_lines_that_other_programs_use_are_not_asked_for_again_and_again() -> None:
    gateway = quiet_gateway(limits=Limits(market_data_lines=2))
    async with Bridge(gateway, max_market_data_lines=10) as bridge:
        prices = await asyncio.gather(*(_price(bridge, symbol) for symbol in MANY[:6]))
        assert None not in prices
        refused = bridge.control.counters().violations[101]
        assert 0 < refused <= 4
        await asyncio.gather(*(_price(bridge, symbol) for symbol in MANY[6:]))
        assert bridge.control.counters().violations[101] == refused


async def test_lines_still_asked_for_are_opened_anew_after_lost_data_and_show_only_what_came_since() -> None:
    async with Bridge() as bridge:
        await asyncio.gather(_price(bridge, "AAPL"), _price(bridge, "MSFT"))
        bridge.control.send_notice(1100)
        with pytest.raises(GatewayUnavailable):
            await eventually(lambda: _price(bridge, "AAPL"), lambda _: False)
        bridge.control.move_price(AAPL, Decimal("301.25"))
        bridge.control.send_notice(1101)
        await until(lambda: len(open_lines(bridge)) == 2)
        assert await eventually(lambda: _price(bridge, "AAPL"), lambda _: True) == Decimal("301.25")


async def test_lines_are_opened_anew_after_a_reconnection_without_anybody_asking() -> None:
    async with Bridge() as bridge:
        await asyncio.gather(_price(bridge, "AAPL"), _price(bridge, "MSFT"))
        bridge.control.drop_links()
        await until(lambda: not open_lines(bridge))
        bridge.control.move_price(MSFT, Decimal("555.5"))
        await until(lambda: len(open_lines(bridge)) == 2)
        await bridge.ready()
        opened = bridge.control.counters().received["reqMktData"]
        assert await _price(bridge, "MSFT") == Decimal("555.5")
        assert bridge.control.counters().received["reqMktData"] == opened == 4


async def test_data_kept_over_a_lost_link_leaves_no_line_behind() -> None:
    async with Bridge(max_market_data_lines=3) as bridge:
        await asyncio.gather(*(_price(bridge, symbol) for symbol in MANY[:3]))
        bridge.control.send_notice(1100)
        bridge.control.send_notice(1102)
        await until(lambda: bridge.control.counters().received["reqMktData"] == 6)
        await bridge.ready()
        assert None not in await asyncio.gather(*(_price(bridge, symbol) for symbol in MANY[:3]))
        assert len(open_lines(bridge)) == bridge.control.counters().most_lines == 3


async def test_who_waits_for_a_price_while_the_connection_breaks_gets_it_from_the_next_one() -> None:
    async with Bridge() as bridge:
        await bridge.call("get_contract_details", symbol="AAPL")
        bridge.control.slow_down(60)
        waiting = asyncio.create_task(_price(bridge, "AAPL"))
        await until(lambda: len(open_lines(bridge)) == 1)
        bridge.control.slow_down(0)
        bridge.control.drop_links()
        assert await waiting is not None


async def test_prices_whose_server_is_gone_are_frozen_until_a_new_one_comes() -> None:
    async with Bridge() as bridge:
        await _price(bridge, "AAPL")
        bridge.control.send_notice(2103)
        price = await eventually(
            lambda: bridge.call("get_stock_price", symbol="AAPL"), lambda one: one.data_kind is DataKind.FROZEN
        )
        assert price.note is not None
        assert "not connected" in price.note
        bridge.control.move_price(AAPL, Decimal("199.5"))
        price = await eventually(
            lambda: bridge.call("get_stock_price", symbol="AAPL"), lambda one: one.data_kind is DataKind.LIVE
        )
        assert (price.last, price.note) == (Decimal("199.5"), None)


async def test_prices_are_asked_for_again_when_their_server_is_back() -> None:
    async with Bridge() as bridge:
        await _price(bridge, "AAPL")
        bridge.control.send_notice(2103)
        bridge.control.send_notice(2104)
        price = await eventually(
            lambda: bridge.call("get_stock_price", symbol="AAPL"),
            lambda _: bridge.control.counters().received["reqMktData"] == 2,
        )
        assert (price.data_kind, price.note) == (DataKind.LIVE, None)


async def test_callers_that_leave_while_waiting_leave_nothing_behind() -> None:
    async with Bridge(max_market_data_lines=1) as bridge:
        await _price(bridge, "AAPL")
        bridge.control.slow_down(60)
        left = await asyncio.gather(
            *(bridge.text("get_stock_price", symbol=symbol, seconds=0.6) for symbol in MANY[1:]), return_exceptions=True
        )
        assert all(isinstance(outcome, BridgeError) for outcome in left)
        bridge.control.slow_down(0)
        assert await eventually(lambda: _price(bridge, "AAPL"), lambda price: price is not None)
        assert len(open_lines(bridge)) == 1


async def test_callers_that_come_and_go_faster_than_lines_open_leave_no_heap_of_messages() -> None:
    async with Bridge(max_market_data_lines=2, max_messages_per_second=15) as bridge:
        for symbol in MANY:
            await bridge.call("get_contract_details", symbol=symbol)
        for symbol in MANY * 3:
            await asyncio.gather(bridge.text("get_stock_price", symbol=symbol, seconds=0.06), return_exceptions=True)
        assert await _price(bridge, "AAPL") is not None
        counters = bridge.control.counters()
        assert counters.received["reqMktData"] < len(MANY), "a place is not taken from a line that is still to open"
        assert not counters.violations


async def test_a_line_whose_cancellation_finds_no_turn_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = quiet_gateway(limits=Limits(market_data_lines=2))
    async with Bridge(gateway, max_market_data_lines=2, max_messages_per_second=15) as bridge:
        for symbol in MANY[:4]:
            await bridge.call("get_contract_details", symbol=symbol)
        for symbol in MANY[:2]:
            await _price(bridge, symbol)
        session = bridge.worker.link.session
        monkeypatch.setattr(quotes, "MESSAGE_SECONDS", 0.02)
        others = [asyncio.create_task(session.tell(Lane.QUOTE, lambda: None)) for _ in range(25)]
        await until(lambda: session.expected(Lane.QUOTE) > 0.2)
        for symbol in MANY[2:4]:
            await eventually(partial(_price_or_none, bridge, symbol), lambda price: price is not None)
        await asyncio.gather(*others)
        counters = bridge.control.counters()
        assert (counters.most_lines, counters.violations[101]) == (2, 0)


async def _price_or_none(bridge: Bridge, symbol: str) -> Decimal | None:
    try:
        return await _price(bridge, symbol)
    except BridgeError:
        return None


async def test_a_warm_price_costs_the_gateway_nothing() -> None:
    async with Bridge() as bridge:
        await _price(bridge, "AAPL")
        before = dict(bridge.control.counters().received)
        await asyncio.gather(*(_price(bridge, "AAPL") for _ in range(100)))
        after = dict(bridge.control.counters().received)
        assert {name: count for name, count in after.items() if name != "reqCurrentTime"} == {
            name: count for name, count in before.items() if name != "reqCurrentTime"
        }
