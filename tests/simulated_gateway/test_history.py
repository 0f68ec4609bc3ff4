from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from ib_async import Forex
from ib_async.wrapper import RequestError

from simulated_gateway import GatewayConfig, Limits, ManualClock, SimulatedGateway

from .clients import AAPL, QUICK_BEAT, RawClient, aapl, calls, connected, errors_of, raw, until

CONTRACT = (AAPL, "AAPL", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")


def ask(client: RawClient, req_id: int, *, bar_size: str = "1 hour", duration: str = "1 D", end: str = "",
        shown: str = "TRADES", live: bool = False, date_format: int = 1) -> None:  # fmt: skip
    client.send(20, req_id, *CONTRACT, 0, end, bar_size, duration, 1, shown, date_format, int(live), "")


async def test_hourly_bars_of_a_day_are_ascending_and_in_the_exchanges_zone(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        bars = await ib.reqHistoricalDataAsync(aapl(), "20251118-21:00:00", "1 D", "1 hour", "TRADES", True)
        assert len(bars) == 7
        assert [bar.date for bar in bars] == sorted(bar.date for bar in bars)
        assert str(bars[0].date) == "2025-11-18 09:30:00-05:00"


async def test_daily_bars_carry_the_exchanges_date(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        bars = await ib.reqHistoricalDataAsync(aapl(), "", "5 D", "1 day", "TRADES", True)
        assert [bar.date for bar in bars][-1] == date(2025, 11, 19)
        assert len(bars) == 5


async def test_times_come_as_seconds_since_1970_where_asked(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        ask(client, 5, date_format=2)
        answer = await client.message(17)
        assert answer[5] == str(int(datetime(2025, 11, 19, 14, 30, tzinfo=UTC).timestamp()))


async def test_forex_has_middles_and_no_trades(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        bars = await ib.reqHistoricalDataAsync(Forex("EURUSD"), "", "1 D", "1 hour", "MIDPOINT", False)
        assert bars
        with pytest.raises(RequestError) as caught:
            await ib.reqHistoricalDataAsync(Forex("EURUSD"), "", "1 D", "1 hour", "TRADES", False)
        assert caught.value.code == 162


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bar_size": "7 mins"}, "321"),
        ({"duration": "yesterday"}, "321"),
        ({"shown": "GUESSES"}, "321"),
        ({"end": "tomorrow"}, "10314"),
        ({"end": "20251118-21:00:00", "live": True}, "321"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    gateway: SimulatedGateway, change: dict[str, str], code: str
) -> None:
    async with raw(gateway) as client:
        ask(client, 5, **change)  # type: ignore[arg-type]
        assert (await client.message(4))[2:4] == ["5", code]


async def test_a_bar_that_is_kept_up_to_date_is_sent_again_when_it_changes(clock: ManualClock) -> None:
    config = GatewayConfig(beat_seconds=QUICK_BEAT, live_bar_refresh=5)
    async with SimulatedGateway(config, clock) as gateway, raw(gateway) as client:
        ask(client, 5, bar_size="1 min", live=True)
        answer = await client.message(17)
        gateway.control.advance(70)
        update = await client.message(90)
        assert len(update) == 10
        assert update[1] == "5"
        assert update[3] >= answer[-8]
        opened, close, high, low = (float(value) for value in update[4:8])
        assert low <= min(opened, close) <= max(opened, close) <= high


async def test_a_cancelled_question_is_162_and_an_unknown_one_366(clock: ManualClock) -> None:
    config = GatewayConfig(history_seconds=3600)
    async with SimulatedGateway(config, clock) as gateway, raw(gateway) as client:
        ask(client, 5)
        client.send(25, 1, 5)
        error = await client.message(4)
        assert error[2:4] == ["5", "162"]
        assert "cancelled" in error[4]
        client.send(25, 1, 5)
        assert (await client.message(4))[2:4] == ["5", "366"]


async def test_too_many_open_questions_are_refused(clock: ManualClock) -> None:
    config = GatewayConfig(history_seconds=3600, limits=Limits(open_historical=2))
    async with SimulatedGateway(config, clock) as gateway, raw(gateway) as client:
        for req_id in (1, 2, 3):
            ask(client, req_id)
        assert (await client.message(4))[2:4] == ["3", "162"]
        assert gateway.control.counters().violations[162] == 1


async def test_small_bars_have_a_pace(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        ask(client, 1, bar_size="5 secs", duration="600 S")
        await client.message(17)
        ask(client, 2, bar_size="5 secs", duration="600 S")
        error = await client.message(4)
        assert error[2:4] == ["2", "162"]
        assert "pacing violation" in error[4]
        gateway.control.advance(16)
        ask(client, 3, bar_size="5 secs", duration="600 S")
        await client.message(17)
        for number in range(5):
            ask(client, 10 + number, bar_size="5 secs", duration=f"{60 + number * 60} S")
        assert (await client.message(4))[2:4] == ["14", "162"]


async def test_large_bars_have_none(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        for req_id in range(10):
            ask(client, req_id)
            assert (await client.message(17))[1] == str(req_id)


async def test_a_long_stretch_of_small_bars_does_not_hold_up_other_questions(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        ask(client, 5, bar_size="1 min", duration="1 M")
        client.send(49, 1)
        assert (await client.frame())[0] == "49"
        assert int((await client.message(17))[4]) > 7_000


async def test_the_first_date_is_told(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        first = await ib.reqHeadTimeStampAsync(aapl(), "TRADES", True, 2)
        assert first == datetime(1990, 1, 2, 14, 30, tzinfo=UTC)


async def test_the_schedule_of_trading_is_told_from_165(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        schedule = await ib.reqHistoricalScheduleAsync(aapl(), 5)
        assert [session.refDate for session in schedule.sessions] == ["20251117", "20251118", "20251119"]
        assert schedule.sessions[0].startDateTime == "20251117-09:30:00"
    async with connected(gateway, highest_version=164) as ib:
        errors = errors_of(ib)
        calls(ib).reqHistoricalData(5, aapl(), "", "5 D", "1 day", "SCHEDULE", True, 1, False, [])
        await until(ib, lambda: bool(errors))
        assert errors[0][1] == 321
