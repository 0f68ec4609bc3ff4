from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from simulated_gateway.bars import Bar, InvalidRequest, bars
from simulated_gateway.catalogue import Catalogue
from simulated_gateway.clock import ManualClock
from simulated_gateway.instruments import ContractQuery
from simulated_gateway.market import DELAY, Market

AAPL, MSFT, EURUSD, SPX, BTC, TOYOTA, SIX = 265598, 272093, 12087792, 416904, 479624278, 900_000_014, 900_000_012
FRIDAY_EVENING = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)


def ask(
    market: Market,
    con_id: int = AAPL,
    duration: str = "1 D",
    size: str = "1 hour",
    shown: str = "TRADES",
    *,
    end: datetime | None = None,
    use_rth: bool = True,
) -> list[Bar]:
    return bars(market, market.instrument(con_id), end, duration, size, shown, use_rth)


def times(answer: list[Bar]) -> list[str]:
    return [f"{bar.time:%d %H:%M}" for bar in answer]


def check_coherent(answer: list[Bar]) -> None:
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in answer)
    assert [bar.time for bar in answer] == sorted({bar.time for bar in answer})


def test_hourly_bars_of_regular_us_hours_start_at_half_past_nine_and_then_on_the_hour(market: Market) -> None:
    assert times(ask(market, end=FRIDAY_EVENING)) == [
        "20 14:30", "20 15:00", "20 16:00", "20 17:00", "20 18:00", "20 19:00", "20 20:00",
    ]  # fmt: skip


def test_extended_hours_add_bars_around_the_same_regular_ones(market: Market) -> None:
    regular = ask(market, size="30 mins", end=FRIDAY_EVENING)
    extended = ask(market, size="30 mins", end=FRIDAY_EVENING + timedelta(hours=2), use_rth=False)
    assert len(regular) == 13
    assert len(extended) == 32
    assert [bar for bar in extended if bar in regular] == regular


def test_tokyo_has_no_bars_over_lunch_and_forex_days_begin_at_a_quarter_past_five(market: Market) -> None:
    assert times(ask(market, TOYOTA)) == [
        "20 00:00",
        "20 01:00",
        "20 02:00",
        "20 03:30",
        "20 04:00",
        "20 05:00",
        "20 06:00",
    ]
    assert times(ask(market, EURUSD, shown="MIDPOINT"))[:2] == ["22 22:15", "22 23:00"]


def test_the_last_bar_ends_with_the_price_of_now(market: Market) -> None:
    for size in ("5 secs", "1 min", "1 hour", "1 day", "1 week", "1 month"):
        assert ask(market, size=size)[-1].close == market.quote(AAPL).last


def test_the_day_so_far_agrees_with_the_quote(market: Market) -> None:
    [today] = ask(market, size="1 day")
    quote = market.quote(AAPL)
    assert today.open == quote.open
    assert quote.low is not None
    assert quote.low <= today.low <= today.high <= (quote.high or 0)
    yesterday = ask(market, duration="2 D", size="1 day")[0]
    assert yesterday.close == quote.close


@pytest.mark.parametrize(
    ("size", "short", "long"),
    [
        ("5 secs", "600 S", "1 D"),
        ("1 min", "1800 S", "3 D"),
        ("15 mins", "1 D", "1 M"),
        ("4 hours", "2 D", "2 W"),
        ("1 day", "3 D", "1 Y"),
        ("1 week", "1 W", "3 M"),
        ("1 month", "1 M", "1 Y"),
    ],
)
def test_a_bar_has_the_same_values_in_every_range(market: Market, size: str, short: str, long: str) -> None:
    few, many = ask(market, duration=short, size=size), ask(market, duration=long, size=size)
    assert len(few) < len(many)
    assert many[-len(few) :] == few
    check_coherent(many)


def test_a_finished_bar_does_not_change_with_the_clock_or_the_end(market: Market, clock: ManualClock) -> None:
    before = ask(market, duration="2 D", size="5 mins", end=FRIDAY_EVENING)
    clock.advance(200_000)
    market.tick()
    assert ask(market, duration="2 D", size="5 mins", end=FRIDAY_EVENING) == before
    part = ask(market, duration="1 D", size="5 mins", end=datetime(2026, 11, 20, 15, 7, tzinfo=UTC))
    assert part[-1].time == datetime(2026, 11, 20, 15, 5, tzinfo=UTC)
    assert part[-1] in before


@pytest.mark.parametrize("use_rth", [True, False])
def test_small_bars_add_up_to_large_ones(market: Market, use_rth: bool) -> None:
    def asked(size: str) -> list[Bar]:
        return ask(market, size=size, end=datetime(2026, 11, 21, 3, 0, tzinfo=UTC), use_rth=use_rth)

    [day] = asked("1 day")
    for size in ("1 secs", "30 secs", "1 min", "20 mins", "3 hours", "8 hours"):
        small = asked(size)
        assert small[0].open == day.open
        assert small[-1].close == day.close
        assert max(bar.high for bar in small) == day.high
        assert min(bar.low for bar in small) == day.low
        assert sum(bar.volume for bar in small) == day.volume


def test_daily_bars_carry_the_exchanges_date_and_skip_its_holidays(market: Market) -> None:
    answer = ask(market, MSFT, duration="1 W", size="1 day", end=datetime(2026, 9, 9, 23, 0, tzinfo=UTC))
    assert [bar.time for bar in answer] == [date(2026, 9, day) for day in (3, 4, 8, 9)]
    sunday_evening_is_monday = ask(market, EURUSD, size="1 day", shown="MIDPOINT")
    assert [bar.time for bar in sunday_evening_is_monday] == [date(2026, 11, 23)]


def test_weeks_and_months_carry_their_last_trade_date(market: Market) -> None:
    assert [bar.time for bar in ask(market, duration="2 W", size="1W")] == [
        date(2026, 11, 13), date(2026, 11, 20), date(2026, 11, 23),
    ]  # fmt: skip
    assert [bar.time for bar in ask(market, duration="2 M", size="1M")][-2:] == [date(2026, 10, 30), date(2026, 11, 23)]


def test_seconds_are_counted_in_trading_time(market: Market) -> None:
    monday_morning = datetime(2026, 11, 23, 14, 35, tzinfo=UTC)
    answer = ask(market, duration="900 S", size="5 mins", end=monday_morning)
    assert times(answer) == ["20 20:50", "20 20:55", "23 14:30"]


@pytest.mark.parametrize(("duration", "count"), [("60 S", 1), ("1 D", 390), ("5 D", 1950), ("1 W", 1950)])
def test_the_duration_says_how_many_minutes_come(market: Market, duration: str, count: int) -> None:
    end = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
    assert len(ask(market, duration=duration, size="1 min", end=end)) == count


def test_a_year_of_minutes_is_whole(market: Market) -> None:
    answer = ask(market, duration="1 Y", size="1 min")
    assert 96_000 < len(answer) < 99_000
    check_coherent(answer)


def test_sides_of_the_book_stand_around_the_trades(market: Market) -> None:
    shown = {
        kind: ask(market, SIX, shown=kind, size="5 mins") for kind in ("TRADES", "BID", "ASK", "MIDPOINT", "BID_ASK")
    }
    for trade, bid, offer, middle, both in zip(*shown.values(), strict=True):
        assert bid.close <= trade.close < offer.close
        assert middle.close == (bid.close + offer.close) / 2
        assert (both.high, both.low) == (offer.high, bid.low)
        assert both.open < both.close
        assert {bid.volume, bid.wap, Decimal(bid.count), middle.volume, both.volume} == {Decimal(-1)}
        assert trade.volume > 0


def test_bars_before_a_move_keep_their_prices_and_later_ones_follow_it(market: Market, clock: ManualClock) -> None:
    before = ask(market, size="1 min")
    market.move(AAPL, Decimal(300))
    after = ask(market, size="1 min")
    assert after[:-1] == before[:-1]
    assert after[-1].close == 300
    clock.advance(120)
    later = ask(market, size="1 min")
    check_coherent(later)
    assert later[len(before) - 1].high >= 300
    assert all(bar.low > 290 for bar in later[len(before) :])
    assert ask(market, size="1 day")[0].high >= 300


def test_delayed_data_ends_a_quarter_of_an_hour_ago(clock: ManualClock) -> None:
    tokyo = ManualClock(datetime(2026, 11, 24, 1, 0, 30, tzinfo=UTC))
    answer = ask(Market(Catalogue(tokyo), tokyo), TOYOTA, size="1 min")
    assert answer[-1].time == (tokyo.now() - DELAY).replace(second=0)


def test_options_and_fractions_of_coins_have_bars_too(market: Market, catalogue: Catalogue) -> None:
    [put] = catalogue.match(
        ContractQuery(symbol="AAPL", sec_type="OPT", expiry="20261218", strike=Decimal(255), right="P")
    )
    answer = ask(market, put.con_id, duration="1 W", size="1 hour")
    check_coherent(answer)
    assert answer[-1].close == market.quote(put.con_id).last
    coins = ask(market, BTC, duration="2 D", size="8 hours", shown="AGGTRADES")
    check_coherent(coins)
    assert any(bar.volume % 1 for bar in coins)


@pytest.mark.parametrize(
    ("con_id", "request_fields", "code", "words"),
    [
        (AAPL, {"size": "7 mins"}, 321, "Historical data bar size setting is invalid. Legal ones are: 1 secs, 5 secs"),
        (AAPL, {"duration": "1 X"}, 321, "Historical data requested duration is invalid."),
        (AAPL, {"duration": "0 D"}, 321, "Historical data requested duration is invalid."),
        (AAPL, {"duration": "366 D"}, 321, "longer than 365 days must be made in years."),
        (AAPL, {"duration": "86401 S"}, 321, "greater than 86400 seconds rejected."),
        (AAPL, {"shown": "PRICES"}, 321, "'PRICES' is invalid"),
        (AAPL, {"shown": "AGGTRADES"}, 162, "No historical market data for AAPL/STK@SMART Last 3600"),
        (AAPL, {"shown": "FEE_RATE"}, 162, "HMDS query returned no data: AAPL@SMART FEE_RATE"),
        (AAPL, {"duration": "1 Y", "size": "1 secs"}, 162, "Time length exceed max."),
        (EURUSD, {}, 162, "No historical market data for EUR/CASH@FXSUBPIP Last 3600"),
        (SPX, {"shown": "MIDPOINT"}, 162, "No historical market data for SPX/IND@CBOE MidPoint 3600"),
        (BTC, {}, 10299, "Expected what to show is AGGTRADES, please use that instead of TRADES."),
        (900_000_011, {}, 162, "No market data permissions for SBF STK"),
        (900_000_019, {}, 162, "HMDS query returned no data: NIPO@SMART Last"),
        (900_000_020, {"shown": "BID"}, 162, "HMDS query returned no data: NOBK@SMART Bid"),
    ],
)
def test_what_cannot_be_had_is_refused_in_the_gateways_words(
    market: Market, con_id: int, request_fields: dict[str, str], code: int, words: str
) -> None:
    fields = {"duration": "1 D", "size": "1 hour", "shown": "TRADES"} | request_fields
    with pytest.raises(InvalidRequest) as refused:
        ask(market, con_id, fields["duration"], fields["size"], fields["shown"])
    assert refused.value.code == code
    assert words in refused.value.text


def test_adjusted_prices_end_only_now(market: Market) -> None:
    assert ask(market, shown="ADJUSTED_LAST") == ask(market)
    with pytest.raises(InvalidRequest, match="End date not supported with adjusted last"):
        ask(market, shown="ADJUSTED_LAST", end=FRIDAY_EVENING)


def test_an_end_in_the_future_is_now_and_one_before_all_records_finds_nothing(market: Market) -> None:
    assert ask(market, end=datetime(2040, 1, 1, tzinfo=UTC)) == ask(market)
    with pytest.raises(InvalidRequest, match="162"):
        ask(market, end=datetime(1980, 1, 1, tzinfo=UTC))
