"""Requests for the past."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from simulated_gateway.bar_requests import Duration, parse_bar_size, parse_duration, parse_shown
from simulated_gateway.bars import InvalidRequest
from simulated_gateway.exchange_hours import Span, sessions
from simulated_gateway.instruments import Instrument
from simulated_gateway.sessions.history_pacing import HistoryAsk
from simulated_gateway.sessions.session import Session
from simulated_gateway.sessions.streams.history import KIND, HistoryQuestion, HistoryRequest, utc
from simulated_gateway.trading.order_intake import contract_query, resolve
from simulated_gateway.trading.orders import Refusal
from simulated_gateway.wire import errors, history_messages
from simulated_gateway.wire.requests import Request
from simulated_gateway.wire.times import InvalidTime, read_time

from .general import Handler

_FIRST_DAY = date(1990, 1, 2)
_SCHEDULE = "SCHEDULE"
_DAYS = {"D": 1, "W": 7, "M": 30, "Y": 365}
#: TWS API: `HISTORICAL_SCHEDULE`.
_SCHEDULES_SINCE = 165
_PACING = "Historical data request pacing violation"


def historical_data(session: Session, request: Request) -> None:
    """Bars, or why there are none."""
    question = _question(session, request)
    refusal = question if isinstance(question, Refusal) else _refusal(session, question, request)
    if refusal is not None or isinstance(question, Refusal):
        if refusal is not None:
            session.error(request.req_id, refusal.code, refusal.text)
        return
    if question.what_to_show == _SCHEDULE:
        _send_schedule(session, question)
        return
    session.subscribe((KIND, question.req_id), HistoryRequest(session, question))


def _question(session: Session, request: Request) -> HistoryQuestion | Refusal:
    record = request.record
    instrument = resolve(session.brokerage.catalogue, contract_query(record))
    if isinstance(instrument, Refusal):
        return instrument
    try:
        end = read_time(record.text("end")) if record.text("end").strip() else None
    except InvalidTime:
        return Refusal(code=10314, text=errors.TIME_FORMAT)
    question = HistoryQuestion(
        req_id=request.req_id,
        instrument=instrument,
        end=end,
        duration=record.text("duration"),
        bar_size=record.text("bar_size"),
        what_to_show=record.text("what_to_show").upper(),
        use_rth=record.flag("use_rth"),
        format_date=record.integer("format_date", 1),
        keep_up_to_date=record.flag("keep_up_to_date"),
    )
    if question.keep_up_to_date and end is not None:
        cause = "End date not supported with keepUpToDate"
        return Refusal(code=321, text=errors.validation("bO", cause))
    return question


def _refusal(session: Session, question: HistoryQuestion, request: Request) -> Refusal | None:
    try:
        parse_duration(question.duration)
        if question.what_to_show != _SCHEDULE:
            size = parse_bar_size(question.bar_size)
            parse_shown(question.what_to_show, question.instrument, size, open_ended=question.end is None)
    except InvalidRequest as invalid:
        return Refusal(code=invalid.code, text=invalid.text)
    return _over_limits(session, question, request.record.text("end"))


def _over_limits(session: Session, question: HistoryQuestion, end: str) -> Refusal | None:
    brokerage = session.brokerage
    ask = HistoryAsk(
        question.instrument.con_id,
        question.instrument.exchange,
        question.what_to_show,
        question.bar_size,
        question.duration,
        end,
    )
    if (reason := brokerage.history_pacing.refuses(ask)) is not None:
        brokerage.counters.violations[162] += 1
        return Refusal(code=162, text=f"{errors.HISTORY_PREFIX}{_PACING} ({reason})")
    if brokerage.open_history() >= brokerage.config.limits.open_historical:
        brokerage.counters.violations[162] += 1
        return Refusal(code=162, text=f"{errors.HISTORY_PREFIX}Maximum number of open historical requests exceeded")
    if (KIND, question.req_id) in session.streams:
        return Refusal(code=322, text="Error processing request.-'bO' : cause - Duplicate ticker id")
    return None


def cancel_historical_data(session: Session, request: Request) -> None:
    """Stop a request or its updates. TWS API: answered with error 162, or 366 where there is nothing to cancel."""
    req_id = request.req_id
    if session.unsubscribe((KIND, req_id)):
        session.error(req_id, 162, f"{errors.HISTORY_PREFIX}API historical data query cancelled: {req_id}")
    else:
        session.error(req_id, 366, f"No historical data query found for ticker id:{req_id}")


def head_timestamp(session: Session, request: Request) -> None:
    """The earliest data there is."""
    record = request.record
    instrument = resolve(session.brokerage.catalogue, contract_query(record))
    if isinstance(instrument, Refusal):
        session.error(request.req_id, instrument.code, instrument.text)
        return
    try:
        parse_shown(record.text("what_to_show").upper(), instrument, parse_bar_size("1 day"), open_ended=True)
    except InvalidRequest as invalid:
        session.error(request.req_id, invalid.code, invalid.text)
        return
    first = _first_session(instrument, use_rth=record.flag("use_rth"))
    text = str(int(first.timestamp())) if record.integer("format_date", 1) == 2 else utc(first)
    session.send_message(history_messages.head_timestamp(request.req_id, text))


def _first_session(instrument: Instrument, *, use_rth: bool) -> datetime:
    day = _FIRST_DAY
    while not (spans := _spans(instrument, day, use_rth=use_rth)):
        day += timedelta(days=1)
    return spans[0].start


def _spans(instrument: Instrument, day: date, *, use_rth: bool) -> tuple[Span, ...]:
    found = sessions(instrument, day)
    return found.liquid if use_rth else found.trading


def _send_schedule(session: Session, question: HistoryQuestion) -> None:
    if session.version < _SCHEDULES_SINCE:
        session.error(question.req_id, 321, errors.validation("bO", "Historical schedule is not supported"))
        return
    zone = ZoneInfo(question.instrument.time_zone)
    end = question.end or session.brokerage.clock.now()
    rows = [
        (
            f"{span.start.astimezone(zone):%Y%m%d-%H:%M:%S}",
            f"{span.end.astimezone(zone):%Y%m%d-%H:%M:%S}",
            f"{day:%Y%m%d}",
        )
        for day in _days_back(end.astimezone(zone).date(), parse_duration(question.duration))
        for span in _spans(question.instrument, day, use_rth=question.use_rth)
    ]
    start_text, end_text = (rows[0][0], rows[-1][1]) if rows else ("", "")
    session.send_message(
        history_messages.historical_schedule(
            question.req_id, start_text, end_text, question.instrument.time_zone_id, rows
        )
    )


def _days_back(last: date, length: Duration) -> list[date]:
    count = length.count * _DAYS.get(length.unit, 1) if length.unit != "S" else 1
    return [last - timedelta(days=back) for back in range(count - 1, -1, -1)]


HANDLERS: Mapping[str, Handler] = {
    "reqHistoricalData": historical_data,
    "cancelHistoricalData": cancel_historical_data,
    "reqHeadTimeStamp": head_timestamp,
    "cancelHeadTimeStamp": lambda _session, _request: None,
}
