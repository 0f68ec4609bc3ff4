"""The market that moves: what every instrument costs at any moment.

A price is a function of the seed, the clock, the moves made by hand and the number of ticks. It does not depend on
who asked for what before, so that two gateways with the same seed and clock show the same market.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from math import log
from typing import Final, Literal

from simulated_gateway import price_paths
from simulated_gateway.catalogue import Catalogue
from simulated_gateway.clock import Clock
from simulated_gateway.exchange_hours import DaySessions, latest_sessions, previous_sessions, sessions, zone_of
from simulated_gateway.instruments import Instrument
from simulated_gateway.market_data import OptionComputation, Quote
from simulated_gateway.option_pricing import OptionModel, implied_volatility
from simulated_gateway.price_paths import SECONDS, DayPath, noise

__all__ = ["DELAY", "DayTotals", "Market", "OptionComputation", "Quote"]

#: How old delayed data is (TWS API documentation, "Delayed Streaming Data": 15 to 20 minutes).
DELAY: Final = timedelta(minutes=15)

_YEAR: Final = timedelta(days=365)
#: When options stop trading on their last day, in the exchange's zone.
_EXPIRY_TIME: Final = time(16)
#: A tick moves a price by up to two ticks, or this share of it where that is more.
_JITTER_SHARE: Final = 20_000

_Side = Literal["bid", "ask", "last"]


@dataclass(frozen=True, slots=True)
class DayTotals:
    """A whole trade date in one bar: prices in ticks, volume in lots."""

    open: int
    high: int
    low: int
    close: int
    volume: int


class Market:
    """Prices of the catalogue's instruments on the clock's date, all in Decimals on the instrument's tick grid.

    Unknown contract ids raise KeyError. Whether the session may see the data (`Instrument.data`) is the server's
    business: the market answers for every instrument.
    """

    def __init__(self, catalogue: Catalogue, clock: Clock, seed: int = 1) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._seed = seed
        self._step = 0
        self._moves: dict[int, list[tuple[datetime, float]]] = {}
        # Sized for 300 instruments with today and the day before, 40 kB each.
        self._walks = lru_cache(maxsize=1024)(self._walk)
        self._paths = lru_cache(maxsize=1024)(self._build_path)
        self._marks = lru_cache(maxsize=4096)(self._cut_minute)
        self._totals = lru_cache(maxsize=50_000)(self._sum_up)

    def now(self) -> datetime:
        """Give the clock's time, UTC."""
        return self._clock.now().astimezone(UTC)

    def tick(self) -> None:
        """Nudge every open market by a tick or so, so that prices move even while the clock stands still.

        A nudge never leaves the range of the current minute, and the next one does not add to it: ticks make prices
        lively, time takes them somewhere.
        """
        self._step += 1

    def move(self, con_id: int, price: Decimal) -> None:
        """Set the last price (for forex: the bid) now; the walk goes on from there.

        What is priced off this instrument, its options, moves with it. The price is rounded to the tick grid.
        """
        instrument = self.instrument(con_id)
        ticks = int((price / instrument.min_tick).to_integral_value())
        if ticks <= 0:
            message = f"a price must be at least one tick ({instrument.min_tick}), not {price}"
            raise ValueError(message)
        now = self.now()
        factor = ticks / self._unmoved_ticks(instrument, now)
        moves = [move for move in self._moves.get(con_id, []) if move[0] < now]
        self._moves[con_id] = [*moves, (now, factor)]
        self._paths.cache_clear()
        self._totals.cache_clear()

    def quote(self, con_id: int, *, delayed: bool = False) -> Quote:
        """Give the prices now, or as they were `DELAY` ago. While the market is closed: as it closed."""
        instrument = self.instrument(con_id)
        moment = self.now() - (DELAY if delayed else timedelta(0))
        day = latest_sessions(instrument, moment)
        path = self.path(instrument, day)
        minute, second = path.minute_at(moment)
        last = self.last_ticks(instrument, moment)
        below, above = spread(instrument)
        opened, high, low = self._regular_range(path, minute, last)
        lots = path.volume_before[minute] + path.volumes[minute] * second // SECONDS
        missing = instrument.behaviour.missing
        untraded = "last" in missing and instrument.sec_type != "CASH"
        bid = None if "bid" in missing or last <= below else last - below
        ask = None if "ask" in missing else last + above
        trade = None if "last" in missing else last
        close = (
            None if "close" in missing else self.totals(instrument, previous_sessions(instrument, day.day), True).close
        )
        return Quote(
            bid=_price(instrument, bid),
            bid_size=self._size(instrument, bid, moment, "bid"),
            ask=_price(instrument, ask),
            ask_size=self._size(instrument, ask, moment, "ask"),
            last=_price(instrument, trade),
            last_size=None if not instrument.behaviour.daily_volume else self._size(instrument, trade, moment, "last"),
            volume=None if "volume" in missing else lots * instrument.behaviour.volume_lot,
            open=None if untraded else _price(instrument, opened),
            high=None if untraded else _price(instrument, high),
            low=None if untraded else _price(instrument, low),
            close=_price(instrument, close),
            time=self._made_at(instrument, path, minute, second, moment),
        )

    def option_computation(self, con_id: int, *, delayed: bool = False) -> OptionComputation:
        """Give the model's volatility and greeks now, or as they were `DELAY` ago; ValueError for what is no option."""
        instrument = self.instrument(con_id)
        if instrument.sec_type != "OPT":
            message = f"{instrument.local_symbol} is not an option"
            raise ValueError(message)
        moment = self.now() - (DELAY if delayed else timedelta(0))
        moment = min(moment, latest_sessions(instrument, moment).trading[-1].end)
        underlying = self.instrument(instrument.under_con_id)
        spot = self.last_ticks(underlying, moment) * underlying.min_tick
        model = _model(instrument, underlying)
        greeks = model.greeks(float(spot), _years_left(instrument, moment))
        return OptionComputation(
            implied_vol=model.volatility,
            delta=greeks.delta,
            opt_price=self.last_ticks(instrument, moment) * instrument.min_tick,
            pv_dividend=0.0,
            gamma=greeks.gamma,
            vega=greeks.vega,
            theta=greeks.theta,
            und_price=spot,
        )

    def instrument(self, con_id: int) -> Instrument:
        """Give the catalogue's instrument; KeyError where it is unknown or no longer listed."""
        found = self._catalogue.by_con_id(con_id)
        if found is None:
            message = f"no contract with id {con_id}"
            raise KeyError(message)
        return found

    def path(self, instrument: Instrument, day: DaySessions) -> DayPath:
        """Give a whole trade date minute by minute, past the present too: callers cut off what is still to come."""
        return self._paths(instrument.con_id, day.day)

    def totals(self, instrument: Instrument, day: DaySessions, regular: bool) -> DayTotals:
        """Sum up a whole trade date, of regular hours only or with the extended ones."""
        return self._totals(instrument.con_id, day.day, regular)

    def marks(self, instrument: Instrument, day: DaySessions, minute: int) -> list[int]:
        """Give the prices in ticks at the 61 second marks of one minute of a trade date."""
        return price_paths.seconds(self._seed, instrument, self.path(instrument, day), minute)

    def last_ticks(self, instrument: Instrument, moment: datetime) -> int:
        """Give the last price at a moment up to now, in ticks."""
        return max(1, round(self._unmoved_ticks(instrument, moment) * self._factor(instrument.con_id, moment)))

    def _factor(self, con_id: int, moment: datetime) -> float:
        moves = self._moves.get(con_id, ())
        return next((factor for when, factor in reversed(moves) if when <= moment), 1.0)

    def _unmoved_ticks(self, instrument: Instrument, moment: datetime) -> int:
        """Give the price as it would be if nobody had moved this instrument."""
        day = latest_sessions(instrument, moment)
        if instrument.sec_type == "OPT":
            moment = min(moment, day.trading[-1].end)
            underlying = self.instrument(instrument.under_con_id)
            spot = float(self.last_ticks(underlying, moment) * underlying.min_tick)
            return _option_ticks(instrument, _model(instrument, underlying), spot, _years_left(instrument, moment))
        path = self._walks(instrument.con_id, day.day)
        minute, second = path.minute_at(moment)
        if second == SECONDS:
            return path.closes[minute]
        ticks = self._marks(instrument.con_id, day.day, minute)[second]
        if self._step:
            reach = max(2, ticks // _JITTER_SHARE)
            ticks += noise(self._seed, instrument.con_id, self._step) % (2 * reach + 1) - reach
        return min(path.highs[minute], max(path.lows[minute], ticks))

    def _walk(self, con_id: int, day: date) -> DayPath:
        instrument = self.instrument(con_id)
        return price_paths.build_day(self._seed, instrument, sessions(instrument, day))

    def _cut_minute(self, con_id: int, day: date, minute: int) -> list[int]:
        return price_paths.seconds(self._seed, self.instrument(con_id), self._walks(con_id, day), minute)

    def _build_path(self, con_id: int, day: date) -> DayPath:
        instrument = self.instrument(con_id)
        hours = sessions(instrument, day)
        path = self._derive(instrument, hours) if instrument.sec_type == "OPT" else self._walks(con_id, day)
        return price_paths.scaled(path, self._moves.get(con_id, ()))

    def _derive(self, option: Instrument, hours: DaySessions) -> DayPath:
        underlying = self.instrument(option.under_con_id)
        model = _model(option, underlying)
        start = hours.trading[0].start
        years, minute = _years_left(option, start), timedelta(minutes=1) / _YEAR
        tick = float(underlying.min_tick)

        def price(ticks: int, minutes: float) -> int:
            return _option_ticks(option, model, ticks * tick, years - minutes * minute)

        return price_paths.derived(
            self.path(underlying, sessions(underlying, hours.day)),
            hours,
            price,
            rises=model.is_call,
            volume=option.behaviour.daily_volume,
            seed=self._seed,
            name=option.con_id,
        )

    def _sum_up(self, con_id: int, day: date, regular: bool) -> DayTotals:
        path = self._paths(con_id, day)
        ranges = path.regular if regular else path.trading
        return DayTotals(
            open=path.opens[ranges[0][0]],
            high=max(max(path.highs[first:end]) for first, end in ranges),
            low=min(min(path.lows[first:end]) for first, end in ranges),
            close=path.closes[ranges[-1][1] - 1],
            volume=sum(sum(path.volumes[first:end]) for first, end in ranges),
        )

    @staticmethod
    def _regular_range(path: DayPath, minute: int, last: int) -> tuple[int | None, int | None, int | None]:
        """Give open, high and low of the regular session so far; the running minute counts as a whole."""
        first = path.regular[0][0]
        if minute < first:
            return None, None, None
        so_far = sum(max(0, min(end, minute + 1) - start) for start, end in path.regular)
        high, low = path.regular_high[so_far - 1], path.regular_low[so_far - 1]
        return path.opens[first], max(high, last), min(low, last)

    def _size(self, instrument: Instrument, price: int | None, moment: datetime, side: _Side) -> Decimal | None:
        if price is None:
            return None
        lots = noise(self._seed, instrument.con_id, int(moment.timestamp()), self._step, side) % 20 + 1
        return lots * instrument.behaviour.quote_lot

    def _made_at(self, instrument: Instrument, path: DayPath, minute: int, second: int, moment: datetime) -> datetime:
        made = path.start + timedelta(minutes=minute, seconds=second)
        moved = [when for when, _ in self._moves.get(instrument.con_id, ()) if when <= moment]
        return max([made, *moved])


def spread(instrument: Instrument) -> tuple[int, int]:
    """Give how many ticks the bid is below the last price and the ask above it."""
    below = instrument.behaviour.spread_ticks // 2
    return below, instrument.behaviour.spread_ticks - below


def _price(instrument: Instrument, ticks: int | None) -> Decimal | None:
    return None if ticks is None else ticks * instrument.min_tick


def _model(option: Instrument, underlying: Instrument) -> OptionModel:
    strike = float(option.strike or 0)
    moneyness = log(strike / float(underlying.behaviour.base_price))
    volatility = implied_volatility(underlying.behaviour.daily_volatility, moneyness)
    return OptionModel(strike, volatility, option.right == "C")


def _years_left(option: Instrument, moment: datetime) -> float:
    expires = datetime.combine(date.fromisoformat(option.expiry), _EXPIRY_TIME, zone_of(option))
    return (expires - moment) / _YEAR


def _option_ticks(option: Instrument, model: OptionModel, spot: float, years: float) -> int:
    return max(1, round(model.value(spot, years) / float(option.min_tick)))
