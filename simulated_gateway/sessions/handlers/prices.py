"""Requests for market data."""

from __future__ import annotations

from collections.abc import Mapping

from simulated_gateway.exchange_hours import is_open
from simulated_gateway.instruments import Instrument
from simulated_gateway.sessions.session import Session
from simulated_gateway.sessions.streams.market_line import MarketLine
from simulated_gateway.trading.order_intake import contract_query, resolve
from simulated_gateway.trading.orders import Refusal
from simulated_gateway.wire import errors, market_messages
from simulated_gateway.wire.requests import Request

from .general import Handler

_LINE = "market data"
#: Market data types that accept delayed data where there is no live data.
_DELAYED_TYPES = frozenset({3, 4})
_FROZEN_TYPES = frozenset({2, 4})
_ALL_SNAPSHOTS = 3


def market_data(session: Session, request: Request) -> None:
    """Open a line, streaming or as a snapshot, or say why there is none."""
    req_id, record = request.req_id, request.record
    instrument = resolve(session.brokerage.catalogue, contract_query(record))
    refusal = instrument if isinstance(instrument, Refusal) else _unavailable(session, request, instrument)
    if refusal is not None or isinstance(instrument, Refusal):
        if refusal is not None:
            session.error(req_id, refusal.code, refusal.text)
        return
    delayed = instrument.data == "delayed"
    session.send_message(market_messages.tick_req_params(req_id, instrument.min_tick, "9c0001", _ALL_SNAPSHOTS))
    if delayed:
        session.error(req_id, 10167, errors.DELAYED_FOLLOWS)
    session.send_message(market_messages.market_data_type(req_id, _kind_of_data(session, instrument, delayed=delayed)))
    line = MarketLine(
        session,
        instrument,
        req_id,
        delayed=delayed,
        snapshot=record.flag("snapshot") or record.flag("regulatory_snapshot"),
        generic_ticks=frozenset(record.text("generic_ticks").replace(" ", "").split(",")),
    )
    session.subscribe((_LINE, req_id), line)
    counters = session.brokerage.counters
    counters.most_lines = max(counters.most_lines, session.brokerage.market_data_lines())
    line.publish(session.brokerage.clock.monotonic())


def _kind_of_data(session: Session, instrument: Instrument, *, delayed: bool) -> int:
    """TWS API: frozen is what a closed market left behind, for those who asked for frozen data."""
    wants_frozen = session.market_data_type in _FROZEN_TYPES
    frozen = wants_frozen and not is_open(instrument, session.brokerage.clock.now(), outside_rth=True)
    return (3 if delayed else 1) + frozen


def _unavailable(session: Session, request: Request, instrument: Instrument) -> Refusal | None:
    """Why there is no such line: in this order, as the real gateway looks."""
    brokerage, record = session.brokerage, request.record
    if record.flag("snapshot") and record.text("generic_ticks"):
        cause = "Snapshot market data subscription is not applicable to generic ticks"
        return Refusal(code=321, text=errors.validation("bP", cause))
    if (_LINE, request.req_id) in session.streams:
        return Refusal(code=322, text="Error processing request.-'bP' : cause - Duplicate ticker id")
    if brokerage.market_data_lines() >= brokerage.config.limits.market_data_lines:
        brokerage.counters.violations[101] += 1
        return Refusal(code=101, text=errors.MAX_TICKERS)
    if brokerage.faults.competing_session:
        return Refusal(code=10197, text=errors.COMPETING_SESSION)
    return _not_subscribed(session, instrument)


def _not_subscribed(session: Session, instrument: Instrument) -> Refusal | None:
    if instrument.data == "none":
        what = f"{instrument.symbol} {instrument.market_name}/TOP/ALL"
        return Refusal(code=354, text=f"{errors.NOT_SUBSCRIBED}{what}")
    if instrument.data == "delayed" and session.market_data_type not in _DELAYED_TYPES:
        what = f"{instrument.symbol} {instrument.market_name}/TOP/ALL"
        return Refusal(code=10089, text=f"{errors.NEEDS_SUBSCRIPTION}{what}")
    return None


def cancel_market_data(session: Session, request: Request) -> None:
    """Close a line, or error 300."""
    if not session.unsubscribe((_LINE, request.req_id)):
        session.error(request.req_id, 300, f"Can't find EId with tickerId:{request.req_id}")


def market_data_type(session: Session, request: Request) -> None:
    """Choose what kind of data later lines may have."""
    kind = request.record.integer("market_data_type")
    if not 1 <= kind <= 4:
        session.error(-1, 321, errors.validation("bZ", f"Invalid market data type {kind}"))
        return
    session.market_data_type = kind


HANDLERS: Mapping[str, Handler] = {
    "reqMktData": market_data,
    "cancelMktData": cancel_market_data,
    "reqMarketDataType": market_data_type,
}
