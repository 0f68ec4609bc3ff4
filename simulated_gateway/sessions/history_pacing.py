"""The gateway's pacing of historical requests; what breaks it is answered with error 162.

TWS API: "Pacing Violations for Small Bars" (30 s and smaller).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from simulated_gateway.clock import Clock
from simulated_gateway.config import Limits

_TEN_MINUTES = 600.0
_TWO_SECONDS = 2.0
_SMALL_BARS = frozenset({"1 secs", "5 secs", "10 secs", "15 secs", "30 secs", "1 sec", "5 sec"})


@dataclass(frozen=True, slots=True)
class HistoryAsk:
    """What is asked for, as far as pacing cares."""

    con_id: int
    exchange: str
    what_to_show: str
    bar_size: str
    duration: str
    end: str


class HistoryPacing:
    """Remembers the requests of the last ten minutes, of all clients together."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._asked: deque[tuple[float, HistoryAsk]] = deque()

    def refuses(self, ask: HistoryAsk) -> str | None:
        """Count a request; why it violates the pacing, None where it does not."""
        if ask.bar_size not in _SMALL_BARS:
            return None
        now = self._clock.monotonic()
        while self._asked and now - self._asked[0][0] >= _TEN_MINUTES:
            self._asked.popleft()
        reason = self._violation(ask, now)
        self._asked.append((now, ask))
        return reason

    def _violation(self, ask: HistoryAsk, now: float) -> str | None:
        limits = self._limits
        alike = 0
        weight = _weight(ask)
        for when, earlier in self._asked:
            weight += _weight(earlier)
            age = now - when
            if age < limits.identical_history_seconds and earlier == ask:
                return "identical request"
            same = (earlier.con_id, earlier.exchange, earlier.what_to_show) == (
                ask.con_id,
                ask.exchange,
                ask.what_to_show,
            )
            if age < _TWO_SECONDS and same:
                alike += 1
        if alike + 1 >= limits.history_per_contract:
            return "too many requests for one contract"
        return "too many requests in ten minutes" if weight > limits.history_in_ten_minutes else None


def _weight(ask: HistoryAsk) -> int:
    return 2 if ask.what_to_show == "BID_ASK" else 1
