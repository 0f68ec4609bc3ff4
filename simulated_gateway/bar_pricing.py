"""Turns ticks and lots into the values of a bar, by what is asked to be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Final

from simulated_gateway.bar_requests import OF_TRADES, Shown
from simulated_gateway.instruments import Instrument
from simulated_gateway.market import DayTotals, spread
from simulated_gateway.market_data import Bar

_LOTS_PER_TRADE: Final = 80
_NOT_OF_TRADES: Final = Decimal(-1)


@dataclass(frozen=True, slots=True)
class Cut:
    """The part of a trade date that a bar covers: start in minutes or a date, prices in ticks, volume in lots."""

    time: datetime | date
    totals: DayTotals


def pricer(instrument: Instrument, shown: Shown) -> Callable[[DayTotals], tuple[Decimal, ...]]:
    """Give what turns ticks into open, high, low, close, volume and weighted average."""
    below, above = spread(instrument)
    tick, lot = instrument.min_tick, instrument.behaviour.volume_lot
    half, quarter = tick / 2, tick / 4

    # Many bars share few prices.
    @cache
    def price(ticks: int) -> Decimal:
        return ticks * tick

    def of_trades(cut: DayTotals) -> tuple[Decimal, ...]:
        average = (cut.open + cut.high + cut.low + cut.close) * quarter
        return price(cut.open), price(cut.high), price(cut.low), price(cut.close), cut.volume * lot, average

    def of_one_side(cut: DayTotals) -> tuple[Decimal, ...]:
        shift = above if shown == "ASK" else -below
        values = [price(max(ticks + shift, 1)) for ticks in (cut.open, cut.high, cut.low, cut.close)]
        return (*values, _NOT_OF_TRADES, _NOT_OF_TRADES)

    def of_the_middle(cut: DayTotals) -> tuple[Decimal, ...]:
        values = [(2 * ticks + above - below) * half for ticks in (cut.open, cut.high, cut.low, cut.close)]
        return (*values, _NOT_OF_TRADES, _NOT_OF_TRADES)

    def of_both_sides(cut: DayTotals) -> tuple[Decimal, ...]:
        # As the gateway defines BID_ASK: average bid, highest ask, lowest bid, average ask.
        middle = (cut.open + cut.close) // 2
        values = (middle - below, cut.high + above, max(cut.low - below, 1), middle + above)
        return (*map(price, values), _NOT_OF_TRADES, _NOT_OF_TRADES)

    if shown in OF_TRADES:
        return of_trades
    if shown == "MIDPOINT":
        return of_the_middle
    return of_both_sides if shown == "BID_ASK" else of_one_side


def finished(cut: Cut, price: Callable[[DayTotals], tuple[Decimal, ...]]) -> Bar:
    """Give the bar of a cut."""
    opened, high, low, close, volume, average = price(cut.totals)
    lots = cut.totals.volume
    count = -1 if volume < 0 else -(-lots // _LOTS_PER_TRADE)
    return Bar(time=cut.time, open=opened, high=high, low=low, close=close, volume=volume, wap=average, count=count)
