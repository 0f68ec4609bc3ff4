"""IBKR's pacing of historical requests, kept so that the gateway never has to enforce it (error 162).

For bars of 30 seconds and smaller: no identical request within 15 s, fewer than six for one contract, exchange and kind
in 2 s, at most 60 in ten minutes, BID_ASK counting twice. For all bars: at most 50 open at once.
Source: TWS API, Historical Data Limitations. Every figure here has a margin for the way to the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from pydantic import TypeAdapter

from broker_worker.cache_file import CacheFile
from broker_worker.gateway.waiting import Patience
from shared import clock
from shared.errors import Busy

IDENTICAL_SECONDS = 16.0
ALIKE_SECONDS, ALIKE_MOST = 2.3, 5
TEN_MINUTES, TEN_MINUTES_MOST = 606.0, 60
MOST_OPEN = 45

SMALL_BARS = frozenset({"1 secs", "5 secs", "10 secs", "15 secs", "30 secs"})
_KEY = "history pacing"
_FOR = "a historical request's turn under IBKR's pacing"


@dataclass(frozen=True, slots=True)
class HistoryAsk:
    """One request, as far as pacing cares."""

    con_id: int
    exchange: str
    what_to_show: str
    bar_size: str
    duration: str
    end: str

    @property
    def weight(self) -> int:
        """How much of the ten minutes' allowance it takes."""
        return 2 if self.what_to_show == "BID_ASK" else 1

    @property
    def kind(self) -> tuple[int, str, str]:
        """What the limit of two seconds is for."""
        return self.con_id, self.exchange, self.what_to_show


_SENT = TypeAdapter(list[tuple[HistoryAsk, float]])


@dataclass(slots=True, eq=False)
class Turn:
    """One request's place among the others."""

    ask: HistoryAsk
    planned: float
    """Unix seconds; when it may be sent if those before it keep to their plans."""
    sent: float | None = None

    def at(self, now: float) -> float:
        """When it was sent, or when it is sent at the earliest."""
        return self.sent if self.sent is not None else max(self.planned, now)


class HistoryPacer:
    """Gives historical requests their turns, first come, first served; what was sent is remembered over a restart."""

    def __init__(self, file: CacheFile) -> None:
        self._file = file
        self._turns: list[Turn] | None = None
        """Those of the last ten minutes and those that wait, in sequence."""
        self._moved = asyncio.Event()
        self._open = asyncio.Semaphore(MOST_OPEN)
        self._waiting_to_open = 0

    @asynccontextmanager
    async def turn(self, ask: HistoryAsk, patience: Patience) -> AsyncGenerator[Turn]:
        """Inside, the request may be sent and is one of those open; set ``sent`` of what is given by ``mark``.

        Raises ``Busy`` where the turn would come after the caller's patience.
        """
        turn = Turn(ask, clock.now().timestamp())
        paced = ask.bar_size in SMALL_BARS
        try:
            if paced:
                await self._wait(turn, patience)
            async with self._one_open(patience):
                yield turn
        finally:
            if paced:
                await self._over(turn)

    def mark(self, turn: Turn) -> None:
        """The request leaves now."""
        turn.sent = clock.now().timestamp()
        self._moved.set()

    async def _wait(self, turn: Turn, patience: Patience) -> None:
        turns = await self._known()
        now = clock.now().timestamp()
        turns[:] = [other for other in turns if other.at(now) > now - TEN_MINUTES]
        turn.planned = self._earliest(turn, turns, now)
        waiting = sum(other.sent is None for other in turns)
        turns.append(turn)
        await patience.wait_for(_FOR, place=waiting, seconds=turn.planned - now)
        while True:
            now = clock.now().timestamp()
            delay = self._earliest(turn, turns[: turns.index(turn)], now) - now
            if delay <= 0:
                return
            if delay > patience.seconds:
                raise Busy(f"{_FOR} would come too late for this call", retry=f"after {delay:.0f} s")
            self._moved.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._moved.wait()

    def _earliest(self, turn: Turn, before: list[Turn], now: float) -> float:
        """The first moment at which every rule allows it."""
        earliest = now
        identical = [other.at(now) for other in before if other.ask == turn.ask]
        if identical:
            earliest = max(earliest, max(identical) + IDENTICAL_SECONDS)
        alike = sorted(other.at(now) for other in before if other.ask.kind == turn.ask.kind)
        if len(alike) >= ALIKE_MOST:
            earliest = max(earliest, alike[-ALIKE_MOST] + ALIKE_SECONDS)
        weight = turn.ask.weight
        for moment, more in sorted(((other.at(now), other.ask.weight) for other in before), reverse=True):
            weight += more
            if weight > TEN_MINUTES_MOST:
                return max(earliest, moment + TEN_MINUTES)
        return earliest

    @asynccontextmanager
    async def _one_open(self, patience: Patience) -> AsyncGenerator[None]:
        if self._open.locked():
            await patience.say(f"waiting: {self._waiting_to_open} historical requests before this one")
        self._waiting_to_open += 1
        try:
            async with asyncio.timeout(min(patience.seconds, 3600.0)):
                await self._open.acquire()
        except TimeoutError:
            raise Busy("too many historical requests are open at the gateway", retry="after 10 s") from None
        finally:
            self._waiting_to_open -= 1
        try:
            yield
        finally:
            self._open.release()

    async def _over(self, turn: Turn) -> None:
        turns = self._turns
        if turns is not None and turn.sent is None:
            with suppress(ValueError):
                turns.remove(turn)
        self._moved.set()
        if turns is not None and turn.sent is not None:
            rows = [(other.ask, other.sent) for other in turns if other.sent is not None]
            await self._file.put(_KEY, _SENT.dump_json(rows), clock.now().timestamp() + TEN_MINUTES)

    async def _known(self) -> list[Turn]:
        """The turns; those of an earlier process are read once."""
        if self._turns is None:
            stored = await self._file.get(_KEY)
            rows = _SENT.validate_json(stored.body) if stored is not None else []
            if self._turns is None:
                self._turns = [Turn(ask, sent, sent) for ask, sent in rows]
        return self._turns
