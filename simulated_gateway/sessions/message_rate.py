"""How fast a client talks. TWS API: 50 messages a second; sustained excess ends the connection with error 100."""

from __future__ import annotations

from collections import deque
from enum import Enum

from simulated_gateway.clock import Clock
from simulated_gateway.config import Limits

_WINDOW = 1.0
_STRIKES_EXPIRE = 60.0


class Verdict(Enum):
    """What follows from one more message."""

    FINE = "fine"
    #: One more second above the limit: the client is warned.
    STRIKE = "strike"
    #: The last strike: the client is cut off.
    OUT = "out"


class MessageRate:
    """Counts one client's messages in the last second, and the seconds above the limit."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._times: deque[float] = deque()
        self._strikes: deque[float] = deque()

    @property
    def present(self) -> int:
        """Messages within the last second."""
        return len(self._times)

    @property
    def strikes(self) -> int:
        """Seconds above the limit within the last minute."""
        return len(self._strikes)

    def count(self) -> Verdict:
        """Count one message."""
        now = self._clock.monotonic()
        self._times.append(now)
        while now - self._times[0] >= _WINDOW:
            self._times.popleft()
        if len(self._times) <= self._limits.messages_per_second:
            return Verdict.FINE
        while self._strikes and now - self._strikes[0] >= _STRIKES_EXPIRE:
            self._strikes.popleft()
        if self._strikes and now - self._strikes[-1] < _WINDOW:
            return Verdict.FINE
        self._strikes.append(now)
        return Verdict.OUT if len(self._strikes) >= self._limits.message_strikes else Verdict.STRIKE
