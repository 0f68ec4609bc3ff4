"""One historical request: its answer, and the bar that is kept up to date after it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from simulated_gateway.bar_requests import parse_bar_size, parse_duration
from simulated_gateway.bars import Bar, InvalidRequest, bars
from simulated_gateway.instruments import Instrument
from simulated_gateway.sessions.session import Session
from simulated_gateway.wire import history_messages
from simulated_gateway.wire.times import GATEWAY_ZONE, TIME_ZONES, exchange_time

KIND = "history"
_EPOCH_FORMAT = 2
_FEW_DAYS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuestion:
    """What is asked, as the bars want it."""

    req_id: int
    instrument: Instrument
    #: None for now.
    end: datetime | None
    duration: str
    bar_size: str
    what_to_show: str
    use_rth: bool
    #: TWS API: 1 for dates as text, 2 for seconds since 1970; days are text in both.
    format_date: int
    keep_up_to_date: bool


class HistoryRequest:
    """Answers after the configured time, then updates until cancelled where that was asked for."""

    def __init__(self, session: Session, question: HistoryQuestion) -> None:
        self._session = session
        self._question = question
        self._answered = False
        self._due = 0.0
        self._sent: tuple[str, Bar] | None = None
        self._task = session.spawn(self._answer(), f"history {question.req_id}")

    async def _answer(self) -> None:
        brokerage, question = self._session.brokerage, self._question
        if brokerage.config.history_seconds:
            await brokerage.clock.sleep(brokerage.config.history_seconds)
        try:
            # Many bars take seconds to make; the other clients must not wait for them.
            large = self._is_large()
            found = await asyncio.to_thread(self._bars, question.duration) if large else self._bars(question.duration)
        except InvalidRequest as refusal:
            self._session.error(question.req_id, refusal.code, refusal.text)
            self._finish()
            return
        now = brokerage.clock.now()
        first = found[0].time if found else now
        start = first if isinstance(first, datetime) else datetime.combine(first, datetime.min.time(), GATEWAY_ZONE)
        version = self._session.version
        timed = [(self._time_text(bar.time), bar) for bar in found]
        self._session.send_message(
            history_messages.historical_data(
                question.req_id, exchange_time(start, version), exchange_time(question.end or now, version), timed
            )
        )
        self._answered = True
        self._sent = timed[-1] if timed else None
        self._due = brokerage.clock.monotonic() + brokerage.config.live_bar_refresh
        if not question.keep_up_to_date:
            self._finish()

    def _is_large(self) -> bool:
        length = parse_duration(self._question.duration)
        return length.unit in {"W", "M", "Y"} or (length.unit == "D" and length.count > _FEW_DAYS)

    def _finish(self) -> None:
        self._session.streams.pop((KIND, self._question.req_id), None)

    def _bars(self, duration: str) -> list[Bar]:
        asked = self._question
        market = self._session.brokerage.market
        return bars(market, asked.instrument, asked.end, duration, asked.bar_size, asked.what_to_show, asked.use_rth)

    def _time_text(self, time: datetime | date) -> str:
        if not isinstance(time, datetime):
            return f"{time:%Y%m%d}"
        if self._question.format_date == _EPOCH_FORMAT:
            return str(int(time.timestamp()))
        if self._session.version < TIME_ZONES:
            return exchange_time(time, self._session.version)
        instrument = self._question.instrument
        return f"{time.astimezone(ZoneInfo(instrument.time_zone)):%Y%m%d %H:%M:%S} {instrument.time_zone_id}"

    def publish(self, now: float) -> None:
        """Send the running bar where it changed, and the one before it where a new one began."""
        if not self._answered or now < self._due:
            return
        self._due = now + self._session.brokerage.config.live_bar_refresh
        for bar in self._bars(self._recent())[-2:]:
            timed = (self._time_text(bar.time), bar)
            if self._sent is None or (bar.time >= self._sent[1].time and timed != self._sent):
                self._sent = timed
                self._session.send_message(
                    history_messages.historical_data_update(self._question.req_id, timed[0], bar)
                )

    def _recent(self) -> str:
        """A duration that surely holds the last two bars."""
        size = parse_bar_size(self._question.bar_size)
        if size.seconds is None:
            return {"day": "2 D", "week": "2 W", "month": "2 M"}[size.period or "day"]
        return f"{min(86_400, size.seconds * 2)} S"

    def stop(self) -> None:
        """Forget the answer if it has not been sent."""
        self._task.cancel()


def utc(moment: datetime) -> str:
    """TWS API: `yyyymmdd-hh:mm:ss`."""
    return f"{moment.astimezone(UTC):%Y%m%d-%H:%M:%S}"
