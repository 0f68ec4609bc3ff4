"""Many prices in one call: each there or with its reason, and the gateway asked for each once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.errors import InvalidArgument
from simulated_gateway.listings import LISTINGS

from .harness import Bridge, open_lines

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_prices_come_in_the_order_asked_and_failures_with_their_reason(shared_bridge: Bridge) -> None:
    quotes = await shared_bridge.call("get_quotes", symbols=["MSFT", "nosuch", "AAPL", "BRK.B"], con_ids=[8314, 424242])
    assert [row.symbol for row in quotes.items] == ["MSFT", "AAPL", "BRK B", "IBM"]
    assert {row.asked: row.error.split(":")[0] for row in quotes.failed} == {
        "NOSUCH": "UNKNOWN_CONTRACT",
        "424242": "UNKNOWN_CONTRACT",
    }
    first = shared_bridge.control.quote(272093)
    assert (quotes.items[0].bid, quotes.items[0].ask) == (first.bid, first.ask)


async def test_a_symbol_without_data_does_not_spoil_the_others(shared_bridge: Bridge) -> None:
    quotes = await shared_bridge.call("get_quotes", symbols=["SAP", "AIR"], currency="EUR")
    assert ([row.symbol for row in quotes.items], [row.asked for row in quotes.failed]) == (["SAP"], ["AIR"])
    assert quotes.failed[0].error.startswith("NOT_SUBSCRIBED: ")


async def test_delayed_prices_name_what_to_subscribe_to(shared_bridge: Bridge) -> None:
    quotes = await shared_bridge.call("get_quotes", symbols=["7203"], currency="JPY")
    assert quotes.items[0].data_kind.startswith("delayed")
    assert quotes.missing_subscriptions == ["STK at TSEJ"]
    assert quotes.note is not None


async def test_forex_pairs_name_their_own_currency(shared_bridge: Bridge) -> None:
    quotes = await shared_bridge.call("get_quotes", symbols=["EUR.USD", "USD.JPY"], sec_type="CASH")
    assert [(row.symbol, row.currency) for row in quotes.items] == [("EUR", "USD"), ("USD", "JPY")]


async def test_a_list_is_understood_as_text_too_and_each_symbol_is_asked_once(shared_bridge: Bridge) -> None:
    quotes = await shared_bridge.call("get_quotes", symbols="AAPL, MSFT,AAPL")
    assert [row.symbol for row in quotes.items] == ["AAPL", "MSFT"]


@pytest.mark.parametrize("asked", [{}, {"symbols": []}, {"symbols": ["A"] * 101}, {"con_ids": [0]}, {"symbols": [""]}])
async def test_none_or_too_many_are_refused(shared_bridge: Bridge, asked: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument, match=r"symbols|con_ids"):
        await shared_bridge.call("get_quotes", **asked)


async def test_a_hundred_contracts_are_answered_with_fewer_lines_and_pages_fit() -> None:
    con_ids = [one.con_id for one in LISTINGS if one.sec_type in {"STK", "CASH", "IND", "CRYPTO"}][:100]
    async with Bridge(max_market_data_lines=40) as bridge:
        seen: list[int] = []
        cursor: str | None = None
        while True:
            text = await bridge.text("get_quotes", con_ids=con_ids, cursor=cursor)
            assert len(text) <= 20_000
            page = await bridge.call("get_quotes", con_ids=con_ids, cursor=cursor)
            seen += [row.con_id for row in page.items] + [int(row.asked) for row in page.failed]
            if (cursor := page.next_cursor) is None:
                break
        assert set(seen) == set(con_ids)
        assert bridge.control.counters().most_lines <= 40
        assert len(open_lines(bridge)) <= 40
        assert not bridge.control.counters().violations


async def test_a_quote_is_the_number_on_the_wire(shared_bridge: Bridge) -> None:
    (row,) = (await shared_bridge.call("get_quotes", symbols=["BTC"], sec_type="CRYPTO")).items
    assert row.bid == row.bid.quantize(Decimal("0.01")) if row.bid else False
