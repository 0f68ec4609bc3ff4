from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from simulated_gateway.catalogue import Catalogue
from simulated_gateway.clock import ManualClock
from simulated_gateway.instruments import ContractQuery
from simulated_gateway.listings import LISTINGS
from simulated_gateway.market import DELAY, Market, Quote

AAPL, EURUSD, SPX, TOYOTA, NIPO, NOBK = 265598, 12087792, 416904, 900_000_014, 900_000_019, 900_000_020


def advance(clock: ManualClock, **span: float) -> None:
    clock.advance(timedelta(**span).total_seconds())


def last(market: Market, con_id: int = AAPL) -> Decimal:
    price = market.quote(con_id).last
    assert price is not None
    return price


def test_the_same_seed_and_clock_give_the_same_market_whatever_was_asked_before(clock: ManualClock) -> None:
    first, second = (Market(Catalogue(clock), clock, seed=3) for _ in range(2))
    for each in LISTINGS:
        first.quote(each.con_id)
    advance(clock, minutes=11)
    assert first.quote(AAPL) == second.quote(AAPL)
    assert Market(Catalogue(clock), clock, seed=4).quote(AAPL) != first.quote(AAPL)


def test_prices_are_those_of_this_seed_in_every_process_and_version(market: Market) -> None:
    quote = market.quote(AAPL)
    assert (quote.bid, quote.ask, quote.close) == (Decimal("254.52"), Decimal("254.53"), Decimal("260.53"))


@pytest.mark.parametrize("minutes", [-600, -400, 0, 90, 355, 400, 700, 3000])
def test_every_quote_is_coherent_at_any_time_of_the_day(minutes: int) -> None:
    clock = ManualClock(datetime(2026, 11, 24, 15, 0, 30, tzinfo=UTC) + timedelta(minutes=minutes))
    market = Market(Catalogue(clock), clock)
    for each in LISTINGS:
        quote = market.quote(each.con_id)
        check_coherent(quote, each.min_tick)


def check_coherent(quote: Quote, tick: Decimal) -> None:
    for price in (quote.bid, quote.ask, quote.last, quote.open, quote.high, quote.low, quote.close):
        assert price is None or (price > 0 and price % tick == 0)
    if quote.bid is not None and quote.ask is not None:
        assert quote.bid < quote.ask
    if quote.high is not None and quote.low is not None and quote.open is not None:
        assert quote.low <= quote.open <= quote.high
        assert quote.last is None or quote.low <= quote.last <= quote.high
    assert quote.volume is None or quote.volume >= 0


def test_time_moves_prices_and_volume_only_grows_within_a_session(market: Market, clock: ManualClock) -> None:
    seen, volumes, highs = set[Decimal](), list[Decimal](), list[Decimal]()
    for _ in range(60):
        advance(clock, seconds=7)
        quote = market.quote(AAPL)
        assert quote.volume is not None
        assert quote.high is not None
        seen.add(last(market))
        volumes.append(quote.volume)
        highs.append(quote.high)
    assert len(seen) > 10
    assert volumes == sorted(volumes)
    assert highs == sorted(highs)


def test_ticks_move_prices_while_the_clock_stands_still_but_take_them_nowhere(market: Market) -> None:
    start, seen = last(market), set[Decimal]()
    for _ in range(200):
        market.tick()
        seen.add(last(market))
    assert len(seen) > 3
    assert all(abs(price - start) <= Decimal("0.05") for price in seen)


def test_a_closed_market_stands_still_at_its_last_price(market: Market, clock: ManualClock) -> None:
    advance(clock, days=5)
    saturday = market.quote(AAPL)
    assert saturday.time == datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
    advance(clock, hours=9)
    market.tick()
    assert last(market) == saturday.last
    assert market.quote(AAPL).time == saturday.time


def test_a_move_sets_the_price_exactly_and_the_walk_goes_on_from_there(market: Market, clock: ManualClock) -> None:
    market.tick()
    market.move(AAPL, Decimal("300.00"))
    moved = market.quote(AAPL)
    assert (moved.last, moved.bid, moved.ask) == (Decimal("300.00"), Decimal("300.00"), Decimal("300.01"))
    assert moved.high is not None
    assert moved.high >= 300
    advance(clock, minutes=3)
    assert last(market) != 300
    assert abs(last(market) - 300) < 3
    advance(clock, days=1)
    assert abs(last(market) - 300) < 30


def test_a_move_of_one_instrument_leaves_the_others_alone_but_takes_its_options_along(
    market: Market, catalogue: Catalogue
) -> None:
    query = ContractQuery(symbol="AAPL", sec_type="OPT", expiry="20261218", strike=Decimal(270), right="C")
    [call] = catalogue.match(query)
    microsoft, cheap = last(market, 272093), last(market, call.con_id)
    market.move(AAPL, Decimal(300))
    assert last(market, 272093) == microsoft
    assert last(market, call.con_id) > cheap + 20


def test_a_later_move_replaces_an_earlier_one_at_the_same_moment(market: Market) -> None:
    for price in ("10.00", "300.00", "271.55"):
        market.move(AAPL, Decimal(price))
        assert last(market) == Decimal(price)


@pytest.mark.parametrize("price", ["0", "-1", "0.001"])
def test_no_move_makes_a_price_worthless(market: Market, price: str) -> None:
    with pytest.raises(ValueError, match="at least one tick"):
        market.move(AAPL, Decimal(price))


def test_delayed_data_is_what_was_true_a_quarter_of_an_hour_ago(market: Market, clock: ManualClock) -> None:
    then = market.quote(AAPL)
    clock.advance(DELAY.total_seconds())
    assert market.quote(AAPL, delayed=True) == then


def test_values_that_an_instrument_never_has_are_none(market: Market) -> None:
    new = market.quote(NIPO)
    assert (new.last, new.last_size, new.volume, new.open, new.high, new.close) == (None,) * 6
    assert new.bid is not None
    bookless = market.quote(NOBK)
    assert (bookless.bid, bookless.bid_size, bookless.ask, bookless.ask_size) == (None,) * 4
    assert bookless.last is not None
    index = market.quote(SPX)
    assert (index.bid, index.ask, index.volume) == (None,) * 3
    euro = market.quote(EURUSD)
    assert (euro.last, euro.volume) == (None, None)
    assert euro.close is not None


def test_there_is_no_open_before_the_bell(clock: ManualClock) -> None:
    early = ManualClock(clock.now() - timedelta(hours=2))
    quote = Market(Catalogue(early), early).quote(AAPL)
    assert (quote.open, quote.high, quote.low) == (None, None, None)
    assert quote.last is not None


def test_a_holiday_abroad_shows_the_session_before_it(market: Market) -> None:
    assert market.quote(TOYOTA).time == datetime(2026, 11, 20, 6, 30, tzinfo=UTC)


def test_an_unknown_contract_is_an_error(market: Market) -> None:
    with pytest.raises(KeyError):
        market.quote(1)


def test_option_prices_obey_put_call_parity_and_their_greeks_make_sense(market: Market, catalogue: Catalogue) -> None:
    query = ContractQuery(symbol="AAPL", sec_type="OPT", expiry="20270115", strike=Decimal(255))
    call, put = (market.option_computation(each.con_id) for each in catalogue.match(query))
    assert call.und_price == put.und_price == last(market)
    discounted = Decimal(255) * Decimal("0.99420")
    assert abs((call.opt_price - put.opt_price) - (call.und_price - discounted)) < Decimal("0.05")
    assert 0.4 < call.delta < 0.7
    assert call.delta - put.delta == pytest.approx(1)
    assert call.gamma == put.gamma > 0
    assert call.vega > 0 > call.theta
    assert 0.1 < call.implied_vol < 0.6
    with pytest.raises(ValueError, match="not an option"):
        market.option_computation(AAPL)


def test_option_prices_fall_with_the_strike_and_quotes_agree_with_the_model(
    market: Market, catalogue: Catalogue
) -> None:
    calls = catalogue.match(ContractQuery(symbol="AAPL", sec_type="OPT", expiry="20261218", right="C"))
    prices = [last(market, each.con_id) for each in calls]
    assert prices == sorted(prices, reverse=True)
    for each in calls:
        check_coherent(market.quote(each.con_id), each.min_tick)
        assert market.option_computation(each.con_id).opt_price == last(market, each.con_id)


def test_an_option_still_has_a_price_in_its_last_minute_and_is_gone_the_day_after(
    market: Market, catalogue: Catalogue, clock: ManualClock
) -> None:
    [put] = catalogue.match(
        ContractQuery(symbol="AAPL", sec_type="OPT", expiry="20261127", strike=Decimal(300), right="P")
    )
    clock.advance((datetime(2026, 11, 27, 17, 59, 59, tzinfo=UTC) - clock.now()).total_seconds())
    assert abs(last(market, put.con_id) - (300 - last(market))) < Decimal("0.5")
    advance(clock, days=1)
    with pytest.raises(KeyError):
        market.quote(put.con_id)
