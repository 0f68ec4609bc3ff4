"""Large ranges in pieces: whole, each bar once, under IBKR's pacing, remembered, and stopped when nobody waits."""

from __future__ import annotations

import asyncio
import gzip
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from broker_worker.cache_file import CacheFile
from broker_worker.gateway.waiting import IMPATIENT, Patience
from broker_worker.market_data.pacing import HistoryAsk, HistoryPacer
from broker_worker.market_data.pieces import in_pieces, piece_start
from shared import clock
from shared.errors import Busy, InvalidArgument, TimedOut
from shared.files import FileShelf
from shared.redis_keys import Keys
from shared.redis_store import Store
from simulated_gateway.bars import bars as gateways_bars

from .harness import SESSION, Bridge, quiet_gateway, until

END = "2025-11-19T16:00:00Z"
AAPL = 265598


async def _file(bridge: Bridge, path: str, caller: str = "local") -> list[str] | None:
    file = await FileShelf(Store(bridge.redis), Keys(SESSION)).get(path.rpartition("/")[2], caller)
    return gzip.decompress(file.gzipped).decode().splitlines() if file is not None else None


def _as_the_gateway_has_them(bridge: Bridge, duration: str, size: str, *, rth: bool = True) -> list[str]:
    """The starts of all bars of a range, by one question that has no limits."""
    market = bridge.gateway.brokerage.market
    found = gateways_bars(market, market.instrument(AAPL), datetime.fromisoformat(END), duration, size, "TRADES", rth)
    return [f"{bar.time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for bar in found if isinstance(bar.time, datetime)]


def _of_the_last_days(times: list[str], count: int) -> list[str]:
    days = sorted({_new_york_date(time) for time in times})[-count:]
    return [time for time in times if _new_york_date(time) in days]


def _new_york_date(time: str) -> str:
    return f"{datetime.fromisoformat(time).astimezone(ZoneInfo('America/New_York')):%Y%m%d}"


def _open_history(bridge: Bridge) -> list[int]:
    return [number for client in bridge.control.connections() for kind, number in client.streams if kind == "history"]


@pytest.mark.parametrize(
    ("size", "duration", "longer", "rth"),
    [
        ("1 min", "3 W", "2 M", True),
        ("5 mins", "25 D", "2 M", False),
        ("30 mins", "5 M", "7 M", True),
        ("1 hour", "15 M", "2 Y", True),
    ],
)
async def test_a_large_range_is_joined_without_gap_or_repeat(size: str, duration: str, longer: str, rth: bool) -> None:
    async with Bridge() as bridge:
        bars = await bridge.call(
            "get_historical_data", symbol="AAPL", bar_size=size, duration=duration, end=END, use_rth=rth
        )
        assert bars.summary is not None
        assert bars.file is not None
        assert bars.truncated
        assert 0 < bars.count <= 20
        header, *lines = await _file(bridge, bars.file.path) or []
        times = [line.split(",")[0] for line in lines]
        assert header == "date,open,high,low,close,volume"
        assert len(times) == bars.file.bars == bars.summary.bars
        asked = in_pieces(size, duration, datetime.fromisoformat(END))
        assert asked is not None
        whole = [time for time in _as_the_gateway_has_them(bridge, longer, size, rth=rth) if time < END]
        if asked.trading_days is not None:
            assert times == _of_the_last_days(whole, 25)
        else:
            assert times == [time for time in whole if f"{asked.start:%Y-%m-%dT%H:%M:%SZ}" <= time]
        assert not bridge.control.counters().violations
        assert bridge.control.counters().received["reqHistoricalData"] > 1


async def test_pages_lead_back_through_all_pieces() -> None:
    async with Bridge() as bridge:
        asked: dict[str, Any] = {"symbol": "AAPL", "bar_size": "1 min", "duration": "2 W", "end": END}
        first = await bridge.call("get_historical_data", **asked)
        assert first.summary is not None
        pages, cursor = [first.items], first.next_cursor
        requests = bridge.control.counters().received["reqHistoricalData"]
        while cursor is not None:
            page = await bridge.call("get_historical_data", **asked, cursor=cursor)
            assert (page.summary, page.file) == (None, None)
            pages.append(page.items)
            cursor = page.next_cursor
        times = [bar.date for page in reversed(pages) for bar in page]
        assert times == sorted(set(times))
        assert len(times) == first.summary.bars
        assert bridge.control.counters().received["reqHistoricalData"] == requests


async def test_progress_counts_the_pieces() -> None:
    async with Bridge() as bridge:
        told: list[str] = []

        async def listen(text: str) -> None:
            told.append(text)

        await bridge.text(
            "get_historical_data", symbol="AAPL", bar_size="1 min", duration="3 W", end=END, progress=listen
        )
        counted = [text for text in told if "pieces" in text]
        assert counted[-1].startswith(f"{len(counted)} of {len(counted)} pieces")


async def test_what_is_over_is_not_asked_for_again_even_by_another_worker() -> None:
    async with Bridge() as bridge:
        asked: dict[str, Any] = {"symbol": "AAPL", "bar_size": "1 min", "duration": "3 W", "end": END}
        before = await bridge.call("get_historical_data", **asked)
        requests = dict(bridge.control.counters().received)
        await bridge.stop_worker()
        await bridge.start_worker()
        after = await bridge.call("get_historical_data", **asked)
        assert (after.items, after.summary) == (before.items, before.summary)
        for name in ("reqHistoricalData", "reqContractDetails"):
            assert bridge.control.counters().received[name] == requests[name]


async def test_contracts_and_chains_are_known_to_the_next_worker() -> None:
    async with Bridge() as bridge:
        await bridge.call("get_option_quotes", symbol="AAPL", expiration="2025-12-19", strikes=1)
        chain = await bridge.call("get_option_chain", symbol="AAPL")
        asked = dict(bridge.control.counters().received)
        await bridge.stop_worker()
        await bridge.start_worker()
        await bridge.call("get_option_quotes", symbol="AAPL", expiration="2025-12-19", strikes=1)
        assert (await bridge.call("get_option_chain", symbol="AAPL")).items == chain.items
        for name in ("reqContractDetails", "reqSecDefOptParams"):
            assert bridge.control.counters().received[name] == asked[name]


async def test_a_range_that_takes_longer_than_a_call_goes_on_with_the_next_call() -> None:
    async with Bridge(quiet_gateway(history_seconds=0.5)) as bridge:
        asked: dict[str, Any] = {"symbol": "AAPL", "bar_size": "1 min", "duration": "3 W", "end": END}
        told: list[str] = []
        while True:
            try:
                text = await bridge.text("get_historical_data", **asked, seconds=2.5)
                break
            except TimedOut as late:
                told.append(str(late))
        assert '"summary":{' in text
        assert all("pieces of this range are here and kept" in line and "same call again" in line for line in told)
        done = [int(line.split()[1]) for line in told]
        assert done == sorted(done)


async def test_a_caller_that_leaves_stops_its_pieces_at_once() -> None:
    async with Bridge(quiet_gateway(history_seconds=0.5)) as bridge:
        waiting = asyncio.create_task(
            bridge.text("get_historical_data", symbol="AAPL", bar_size="1 min", duration="1 Y", end=END)
        )
        await until(lambda: bridge.control.counters().received["reqHistoricalData"] >= 3)
        waiting.cancel()
        await until(lambda: bridge.control.counters().received["cancelHistoricalData"] >= 1)
        await until(
            lambda: not [1 for one in bridge.control.connections() for kind, _ in one.streams if kind == "history"]
        )
        sent = bridge.control.counters().received["reqHistoricalData"]
        await bridge.call("get_stock_price", symbol="AAPL")
        await asyncio.sleep(0.3)
        assert bridge.control.counters().received["reqHistoricalData"] == sent < 20
        assert not bridge.control.counters().violations


async def test_two_callers_of_one_range_share_its_pieces_and_one_may_leave() -> None:
    async with Bridge(quiet_gateway(history_seconds=0.2)) as bridge:
        asked: dict[str, Any] = {"symbol": "AAPL", "bar_size": "1 min", "duration": "3 W", "end": END}
        leaver = asyncio.create_task(bridge.text("get_historical_data", **asked))
        stayer = asyncio.create_task(bridge.text("get_historical_data", **asked))
        await until(lambda: bridge.control.counters().received["reqHistoricalData"] >= 1)
        leaver.cancel()
        assert '"summary":{' in await stayer
        pieces = in_pieces("1 min", "3 W", datetime.fromisoformat(END))
        assert pieces is not None
        assert bridge.control.counters().received["reqHistoricalData"] <= len(pieces.pieces) + 1


async def test_a_file_is_its_callers_alone_and_few_are_kept() -> None:
    async with Bridge() as bridge:
        asked: dict[str, Any] = {"symbol": "AAPL", "bar_size": "5 mins", "end": END}
        mine = await bridge.call("get_historical_data", **asked, duration="20 D", caller="me")
        assert mine.file is not None
        assert await _file(bridge, mine.file.path, "somebody else") is None
        assert await _file(bridge, mine.file.path, "me")
        for number in range(9):
            await bridge.call("get_historical_data", **asked, duration=f"{21 + number} D", caller="me")
        assert await _file(bridge, mine.file.path, "me") is None


@pytest.mark.parametrize(("size", "duration"), [("1 min", "3 Y"), ("1 secs", "5 D"), ("30 secs", "3 M")])
async def test_a_range_that_would_keep_the_gateway_from_everybody_is_refused(size: str, duration: str) -> None:
    async with Bridge() as bridge:
        with pytest.raises(InvalidArgument, match="requests to the gateway"):
            await bridge.call("get_historical_data", symbol="AAPL", bar_size=size, duration=duration, end=END)


async def test_small_bars_keep_ibkrs_pacing_and_are_refused_where_the_wait_is_too_long() -> None:
    bars: dict[str, Any] = {"symbol": "AAPL", "bar_size": "5 secs", "end": END}
    async with Bridge() as bridge:
        asked = [
            bridge.text("get_historical_data", **bars, duration=f"{60 + number} S", seconds=6.0) for number in range(20)
        ]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, Busy)]
        answered = [outcome for outcome in outcomes if isinstance(outcome, str)]
        assert len(answered) + len(refused) == 20
        assert len(answered) >= 10
        assert refused
        assert all("IBKR's pacing" in error.fact for error in refused)
        assert not bridge.control.counters().violations


async def test_the_ten_minutes_allowance_is_kept_over_a_restart(tmp_path: Any) -> None:
    path = tmp_path / "market.sqlite3"
    for round_number in range(2):
        file = CacheFile(path)
        await file.open()
        pacer = HistoryPacer(file)
        allowed = 0
        patience = Patience(clock.monotonic() + 0.5)
        for number in range(35):
            ask = HistoryAsk(round_number * 100 + number, "SMART", "BID_ASK", "1 secs", "60 S", "")
            try:
                async with pacer.turn(ask, patience) as turn:
                    pacer.mark(turn)
                    allowed += 1
            except Busy as busy:
                assert 500 < float(busy.retry.split()[1]) <= 610  # noqa: PT017
        assert allowed == (30 if round_number == 0 else 0)
        await file.close()


async def test_identical_small_requests_wait_sixteen_seconds_and_large_bars_wait_for_nothing(tmp_path: Any) -> None:
    file = CacheFile(tmp_path / "market.sqlite3")
    await file.open()
    pacer = HistoryPacer(file)
    small = HistoryAsk(1, "SMART", "TRADES", "30 secs", "60 S", "")
    async with pacer.turn(small, IMPATIENT) as turn:
        pacer.mark(turn)
    with pytest.raises(Busy, match="about 16 s"):
        async with pacer.turn(small, Patience(clock.monotonic() + 5)):
            pass
    large = HistoryAsk(1, "SMART", "TRADES", "1 min", "60 S", "")
    for _ in range(20):
        async with pacer.turn(large, Patience(clock.monotonic() + 1)) as turn:
            pacer.mark(turn)
    await file.close()


async def test_orders_are_placed_at_once_in_a_flood_of_history() -> None:
    async with Bridge() as bridge:
        await bridge.call("get_stock_price", symbol="AAPL")
        asked: dict[str, Any] = {"symbol": "AAPL", "bar_size": "1 day", "seconds": 20.0}
        ends = [f"2025-11-18T{n // 60:02}:{n % 60:02}:00Z" for n in range(600)]
        flood = [asyncio.create_task(bridge.text("get_historical_data", **asked, end=end)) for end in ends]
        await until(lambda: bridge.control.counters().received["reqHistoricalData"] > 40)
        for number in range(5):
            await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=1, limit_price=100 + number)
        assert len(bridge.placed()) == 5
        assert not bridge.control.counters().violations
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)


@pytest.mark.parametrize(
    ("size", "duration"), [("1 secs", "20000 S"), ("30 secs", "5 D"), ("1 min", "1 Y"), ("30 mins", "3 Y")]
)
def test_pieces_cover_the_range_and_meet_exactly(size: str, duration: str) -> None:
    end = datetime(2026, 3, 1, 12, tzinfo=UTC)
    asked = in_pieces(size, duration, end)
    assert asked is not None
    assert all(following == number + 1 for number, following in pairwise(asked.pieces))
    assert piece_start(asked.grid, asked.pieces[0]) <= asked.start
    assert piece_start(asked.grid, asked.pieces[-1]) < end <= piece_start(asked.grid, asked.pieces[-1] + 1)


@pytest.mark.parametrize(
    ("size", "duration"), [("1 day", "10 Y"), ("1 min", "1 W"), ("30 secs", "1 D"), ("1 hour", "1 Y")]
)
def test_what_one_request_fills_is_not_cut(size: str, duration: str) -> None:
    assert in_pieces(size, duration, datetime(2026, 3, 1, tzinfo=UTC)) is None


async def test_a_damaged_cache_file_is_made_anew(tmp_path: Any) -> None:
    path = tmp_path / "market.sqlite3"
    path.write_bytes(b"not a database" * 100)
    file = CacheFile(path)
    await file.open()
    await file.put("key", b"body", clock.now().timestamp() + 60)
    kept = await file.get("key")
    assert kept is not None
    assert kept.body == b"body"
    await file.put("old", b"body", clock.now().timestamp() - 1)
    assert await file.get("old") is None
    await file.close()
    assert await file.get("key") is None


async def test_the_cache_file_stays_within_its_size(tmp_path: Any) -> None:
    import os

    file = CacheFile(tmp_path / "market.sqlite3", most_bytes=200_000)
    await file.open()
    until_then = clock.now().timestamp() + 600
    for number in range(500):
        await file.put(f"key {number}", os.urandom(1000), until_then + number)
    assert await file.get("key 499") is not None
    assert await file.get("key 0") is None
    await file.close()
