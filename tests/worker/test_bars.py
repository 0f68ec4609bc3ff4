"""Historical bars: sizes, dates, kinds, pages."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from shared.contract.arguments import BAR_SIZES
from shared.contract.market_data import HistoricalBar
from shared.errors import GatewayRefused, InvalidArgument, UnknownContract

from .harness import Bridge

pytestmark = pytest.mark.asyncio(loop_scope="module")

END = "2025-11-19T16:00:00Z"
SHORT = frozenset({"1 secs", "5 secs", "10 secs", "15 secs", "30 secs"})


async def test_the_default_is_a_day_of_hours_of_trades(shared_bridge: Bridge) -> None:
    bars = await shared_bridge.call("get_historical_data", symbol="AAPL")
    assert (bars.symbol, bars.con_id, bars.currency) == ("AAPL", 265598, "USD")
    assert (bars.bar_size, bars.what_to_show) == ("1 hour", "TRADES")
    assert bars.exchange_tz is not None
    assert bars.count == len(bars.items) > 0
    assert (bars.truncated, bars.next_cursor) == (False, None)


@pytest.mark.parametrize("size", BAR_SIZES)
async def test_every_bar_size_the_contract_names_is_served(shared_bridge: Bridge, size: str) -> None:
    duration = {"1 day": "2 W", "1 week": "3 M", "1 month": "1 Y"}.get(size, "600 S" if size in SHORT else "2 D")
    bars = await shared_bridge.call("get_historical_data", symbol="MSFT", bar_size=size, duration=duration, end=END)
    assert bars.bar_size == size
    assert bars.items
    for bar in bars.items:
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
    assert [bar.date for bar in bars.items] == sorted(bar.date for bar in bars.items)


async def test_intraday_bars_have_times_in_utc(shared_bridge: Bridge) -> None:
    text = await shared_bridge.text("get_historical_data", symbol="AAPL", bar_size="30 mins", end=END)
    assert '"date":"2025-11-19T14:30:00Z"' in text


@pytest.mark.parametrize("size", ["1 day", "1 week", "1 month"])
async def test_daily_and_longer_bars_have_the_dates_of_the_exchange(shared_bridge: Bridge, size: str) -> None:
    bars = await shared_bridge.call("get_historical_data", symbol="AAPL", bar_size=size, duration="3 M", end=END)
    assert all(type(bar.date) is date for bar in bars.items)


async def test_a_japanese_day_is_the_day_in_japan(shared_bridge: Bridge) -> None:
    text = await shared_bridge.text(
        "get_historical_data",
        symbol="6758",
        currency="JPY",
        bar_size="1 day",
        duration="5 D",
        end="2025-11-18T07:00:00Z",
    )
    assert '"date":"2025-11-18"' in text


async def test_forex_is_midpoint_without_volume_unless_told_otherwise(shared_bridge: Bridge) -> None:
    bars = await shared_bridge.call("get_historical_data", symbol="EUR.USD", sec_type="CASH", end=END)
    assert bars.what_to_show == "MIDPOINT"
    assert bars.items
    assert {bar.volume for bar in bars.items} == {None}
    bids = await shared_bridge.call(
        "get_historical_data", symbol="EUR.USD", sec_type="CASH", end=END, what_to_show="bid"
    )
    assert bids.what_to_show == "BID"


async def test_crypto_is_aggregated_trades_unless_told_otherwise(shared_bridge: Bridge) -> None:
    bars = await shared_bridge.call("get_historical_data", symbol="BTC", sec_type="CRYPTO", end=END)
    assert bars.what_to_show == "AGGTRADES"
    assert bars.items


async def test_adjusted_bars_come_up_to_now_and_refuse_an_end(shared_bridge: Bridge) -> None:
    asked = {"symbol": "AAPL", "what_to_show": "ADJUSTED_LAST", "bar_size": "1 day", "duration": "1 W"}
    assert (await shared_bridge.call("get_historical_data", **asked)).items
    with pytest.raises(InvalidArgument, match="only up to now") as refused:
        await shared_bridge.call("get_historical_data", **asked, end=END)
    assert "leave out end" in str(refused.value)


async def test_regular_hours_can_be_left(shared_bridge: Bridge) -> None:
    regular = await shared_bridge.call("get_historical_data", symbol="AAPL", end=END)
    extended = await shared_bridge.call("get_historical_data", symbol="AAPL", end=END, use_rth=False)
    assert extended.count > regular.count


async def test_the_end_may_be_written_in_any_zone(shared_bridge: Bridge) -> None:
    utc = await shared_bridge.call("get_historical_data", symbol="AAPL", end=END)
    new_york = await shared_bridge.call("get_historical_data", symbol="AAPL", end="2025-11-19T11:00:00-05:00")
    assert utc.items == new_york.items


async def _pages(bridge: Bridge, **arguments: Any) -> list[list[HistoricalBar]]:
    pages: list[list[HistoricalBar]] = []
    cursor: str | None = None
    while True:
        text = await bridge.text("get_historical_data", cursor=cursor, **arguments)
        assert len(text) <= 20_000
        page = await bridge.call("get_historical_data", cursor=cursor, **arguments)
        assert page.truncated == (page.next_cursor is not None)
        assert page.count == len(page.items) <= 200
        pages.append(page.items)
        if page.next_cursor is None:
            return pages
        cursor = page.next_cursor


async def test_pages_lead_backwards_without_gap_or_repeat(shared_bridge: Bridge) -> None:
    pages = await _pages(shared_bridge, symbol="AAPL", bar_size="1 min", duration="2 D", end=END)
    assert len(pages) > 2
    assert all(newer[0].date > older[-1].date for newer, older in pairwise(pages))
    times = [bar.date for page in reversed(pages) for bar in page]
    assert len(times) == len(set(times))
    assert times == sorted(times)
    day = [time for time in times if isinstance(time, datetime) and time.date() == date(2025, 11, 18)]
    assert len(day) == 390  # every minute of a whole session


async def test_pages_of_adjusted_bars_fit_together_too(shared_bridge: Bridge) -> None:
    pages = await _pages(shared_bridge, symbol="IBM", bar_size="1 day", duration="2 Y", what_to_show="ADJUSTED_LAST")
    dates = [bar.date for page in reversed(pages) for bar in page]
    assert len(pages) > 1
    assert dates == sorted(set(dates))


async def test_pages_stay_together_when_the_first_was_asked_without_an_end(shared_bridge: Bridge) -> None:
    first = await shared_bridge.call("get_historical_data", symbol="IBM", bar_size="1 min", duration="1 D")
    assert first.next_cursor is None or first.next_cursor.split("-")[0].isdigit()
    pages = await _pages(shared_bridge, symbol="IBM", bar_size="1 min", duration="3 D")
    times = [bar.date for page in reversed(pages) for bar in page]
    assert times == sorted(set(times))


@pytest.mark.parametrize("cursor", ["x", "-", "1-", "-1", "99999999999999-1", "1763568000-99999999", "1-2-3", "١-١"])
async def test_a_cursor_not_made_here_is_refused(shared_bridge: Bridge, cursor: str) -> None:
    with pytest.raises(InvalidArgument, match="cursor"):
        await shared_bridge.call("get_historical_data", symbol="AAPL", cursor=cursor)


async def test_a_cursor_beyond_the_last_bar_is_an_empty_last_page(shared_bridge: Bridge) -> None:
    beyond = f"{int(datetime(2025, 11, 19, 16, tzinfo=UTC).timestamp())}-9999999"
    page = await shared_bridge.call("get_historical_data", symbol="AAPL", cursor=beyond)
    assert (page.items, page.truncated, page.next_cursor) == ([], False, None)


@pytest.mark.parametrize(
    ("duration", "bar_size"),
    [("400 D", "1 day"), ("99999 S", "1 hour"), ("60 W", "1 day")],
)
async def test_what_the_gateway_does_not_give_is_refused_in_its_words(
    shared_bridge: Bridge, duration: str, bar_size: str
) -> None:
    with pytest.raises((InvalidArgument, GatewayRefused)) as refused:
        await shared_bridge.call("get_historical_data", symbol="AAPL", duration=duration, bar_size=bar_size)
    assert refused.value.fact


async def test_history_of_an_unknown_contract_is_a_typed_error(shared_bridge: Bridge) -> None:
    with pytest.raises(UnknownContract):
        await shared_bridge.call("get_historical_data", symbol="NOSUCH")


async def test_a_range_without_data_is_a_typed_error(shared_bridge: Bridge) -> None:
    with pytest.raises(GatewayRefused, match="no data"):
        await shared_bridge.call(
            "get_historical_data", symbol="AAPL", bar_size="1 min", duration="60 S", end="1985-01-06T12:00:00Z"
        )


async def test_prices_of_bars_are_exact(shared_bridge: Bridge) -> None:
    bars = await shared_bridge.call(
        "get_historical_data", symbol="EUR.USD", sec_type="CASH", bar_size="5 mins", end=END
    )
    assert all(bar.close == bar.close.quantize(Decimal("0.000001")) for bar in bars.items)
