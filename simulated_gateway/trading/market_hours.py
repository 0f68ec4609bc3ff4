"""When an order that came after hours will reach the exchange, as the gateway words it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from simulated_gateway.exchange_hours import sessions
from simulated_gateway.instruments import Instrument
from simulated_gateway.wire.framing import format_decimal

from .orders import Order, Refusal

_DAYS_AHEAD = 14


def next_opening(instrument: Instrument, moment: datetime, *, outside_rth: bool) -> datetime | None:
    """The next start of trading after a moment; None where there is none within two weeks."""
    today = moment.astimezone(ZoneInfo(instrument.time_zone)).date()
    for days in range(_DAYS_AHEAD):
        day = sessions(instrument, today + timedelta(days=days))
        for span in day.trading if outside_rth else day.liquid:
            if span.start > moment:
                return span.start
    return None


def opening_notice(order: Order, moment: datetime) -> Refusal:
    """Warning 399. It is no refusal: the order lives and waits."""
    ticket = order.ticket
    instrument = ticket.instrument
    opening = next_opening(instrument, moment, outside_rth=ticket.outside_rth)
    what = f"{ticket.action} {format_decimal(ticket.quantity)} {instrument.symbol} {instrument.market_name}"
    when = "the exchange opens"
    if opening is not None:
        local = opening.astimezone(ZoneInfo(instrument.time_zone))
        when = f"{local:%Y-%m-%d %H:%M:%S} {instrument.time_zone_id}"
    return Refusal(
        code=399,
        text=f"Order Message:\n{what}\nWarning: your order will not be placed at the exchange until {when}.",
    )
