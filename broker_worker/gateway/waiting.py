"""How long somebody is willing to wait for a turn at the gateway, and whom to tell about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared import clock
from shared.contract import Call
from shared.errors import Busy

WORTH_SAYING = 1.0
"""Seconds of expected waiting from which on the caller is told its place."""
_TO_ANSWER = 0.5
"""Seconds kept of a call's time for its answer, or a fifth of it where it is short."""

Say = Callable[[str], Awaitable[None]]


async def _nobody(text: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Patience:
    """One caller's: until when it waits, by ``clock.monotonic``, and how to tell it."""

    until: float
    say: Say = _nobody

    @classmethod
    def of(cls, call: Call) -> Patience:
        """As long as the call has time."""
        left = max(call.seconds_left(), 0)
        return cls(clock.monotonic() + left - min(_TO_ANSWER, left / 5), call.progress)

    @property
    def seconds(self) -> float:
        """What is left of it."""
        return self.until - clock.monotonic()

    async def wait_for(self, what: str, *, place: int, seconds: float) -> None:
        """Say what the wait is for; raises ``Busy`` where it would certainly end too late."""
        if seconds > self.seconds:
            raise Busy(
                f"{place} before this one wait for {what}: about {seconds:.0f} s, longer than this call has time",
                action="ask less at once",
                retry=f"after {max(seconds, 1):.0f} s",
            )
        if seconds >= WORTH_SAYING:
            await self.say(f"waiting for {what}: {place} before this one, about {seconds:.0f} s")


IMPATIENT = Patience(float("inf"))
"""For whoever has a limit of its own: nothing is refused for it, and nothing said."""
