"""One streaming line per contract, shared by all callers.

A line is opened when somebody asks, kept while it is asked for, and closed when nobody has for a while or a new one
needs its place: the gateway allows about a hundred for everybody together. Contracts that find no place wait for one in
turn. After a lost connection the lines still asked for are opened anew, and what they said before is forgotten.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from broker_worker.contracts import Resolved
from broker_worker.gateway import errors
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.callbacks import QuoteListener
from broker_worker.gateway.errors import RequestRefused, as_bridge_error
from broker_worker.gateway.waiting import Patience
from broker_worker.market_data.line import KINDS, Line
from shared import clock
from shared.contract.market_data import DataKind
from shared.errors import BridgeError, Busy, CompetingSession, GatewayRefused, GatewayUnavailable, NotSubscribed, Pacing

if TYPE_CHECKING:
    from broker_worker.gateway.session import Session

log = logging.getLogger(__name__)

FIRST_PATIENCE = 5.0
"""Seconds until an answer is given up where nothing has come at all over an open line."""
REST_PATIENCE = 1.5
"""Seconds after a line's first value until answers are given with what there is."""
KEEP_WARM = 60.0
"""Seconds a line stays open after it was last asked for."""
SWEEP_EVERY = 5.0
SWITCH_SECONDS = 0.05
"""What one contract's wait for a place costs those behind it at least: two messages of forty a second."""
MESSAGE_SECONDS = 60.0
"""For opening and closing lines in the background."""

LIVE_OR_WHAT_THERE_IS = 4
"""Market data type: live where permitted, else delayed, frozen where the market is closed. Source: TWS API."""


class QuoteBoard(QuoteListener):
    """The lines, of which never more than ``most`` are open at the gateway."""

    def __init__(self, most: int) -> None:
        self._most = self._limit = most
        self._lines: OrderedDict[int, Line] = OrderedDict()
        """By con_id, the least recently asked for first."""
        self._by_request: dict[int, Line] = {}
        self._queue: OrderedDict[int, Line] = OrderedDict()
        """Lines without a place yet, in turn."""
        self._held = 0
        """Places taken: a line counts from before it is opened until its cancellation was sent."""
        self._owed: set[int] = set()
        """Lines given up whose cancellation has not been sent yet."""
        self._session: Session | None = None
        self._work: set[asyncio.Task[None]] = set()
        self.last_kind: DataKind | None = None
        self.competing = False

    @property
    def lines(self) -> tuple[int, int]:
        """How many lines are open at the gateway, and how many may be."""
        return self._held, self._limit

    async def synchronise(self, session: Session) -> None:
        """After a connection, or when the gateway lost its data: open anew, in the background, what is asked for."""
        stale = {*self._by_request, *self._owed} if session is self._session else set[int]()
        self._session, self._limit = session, self._most
        for task in self._work:
            task.cancel()
        self._by_request.clear()
        self._owed = set(stale)
        self._queue.clear()
        self._held = len(stale)
        self.competing = False
        await session.tell(Lane.QUOTE, lambda: session.client.reqMarketDataType(LIVE_OR_WHAT_THERE_IS))
        for con_id, line in reversed(list(self._lines.items())):
            line.restart()
            self._queue[con_id] = line
        for request in stale:
            self._spawn(self._take_back(session, request))
        self._place_lines()

    async def quote(
        self, session: Session, resolved: Resolved, patience: Patience, first_patience: float = FIRST_PATIENCE
    ) -> Line:
        """The contract's line with a complete quote, or with what there is when patience ends.

        Raises what the gateway's refusal means, ``Busy`` where no line becomes free in time, and ``GatewayRefused``
        where no value came at all.
        """
        con_id = resolved.contract.conId
        line = self._lines.get(con_id)
        if line is None:
            await self._may_wait(len(self._queue), patience)
            line = self._lines.get(con_id)
        if line is None:
            line = self._lines[con_id] = self._queue[con_id] = Line(resolved, 0.0)
        self._lines.move_to_end(con_id)
        line.asked_at = clock.monotonic()
        if line.complete and line.refused is None:
            return line
        line.askers += 1
        try:
            self._place_lines()
            await self._settled(line, patience, first_patience)
        finally:
            line.askers -= 1
            if not line.askers:
                self._place_lines()
        if line.updated is None:
            raise self._nothing_came(line)
        return line

    async def _may_wait(self, place: int, patience: Patience) -> None:
        """Raise ``Busy`` where a place among the lines would come too late; say it where it takes long."""
        if self._held >= self._limit and (place or self._idlest() is None):
            await patience.wait_for("a market data line", place=place, seconds=(place + 1) * SWITCH_SECONDS)

    async def _settled(self, line: Line, patience: Patience, first_patience: float) -> None:
        """Return when the line has all its values, or when it has what comes in time."""
        while not line.complete and line.refused is None:
            give_up = patience.until
            if line.begun_at is not None:
                give_up = min(give_up, line.begun_at + REST_PATIENCE)
            elif line.opened_at is not None:
                give_up = min(give_up, line.opened_at + first_patience)
            left = give_up - clock.monotonic()
            if left <= 0:
                if line.opened_at is None:
                    raise self._no_place()
                break
            line.changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await line.changed.wait()
        if line.refused is not None:
            raise _meaning(line)

    def _no_place(self) -> BridgeError:
        if self._session is None or not self._session.alive:
            return GatewayUnavailable("the connection to the gateway was lost")
        return Busy("no market data line became free in time: every one is in use")

    def _nothing_came(self, line: Line) -> BridgeError:
        self._close(line)
        if self.competing:
            return CompetingSession(line.remarks.get(errors.COMPETING, "another session holds the market data"))
        return GatewayRefused(
            f"no market data for {line.resolved.contract.symbol} arrived in time",
            action="check that its market is open and the data is subscribed; try again",
            retry="after 10 s",
        )

    async def sweep(self) -> None:
        """Close lines nobody asks for any more, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            old = clock.monotonic() - KEEP_WARM
            for line in [line for line in self._lines.values() if not line.askers and line.asked_at < old]:
                self._close(line)

    # --- places

    def _idlest(self) -> Line | None:
        """The open line that has been asked for least recently, of those nobody waits for.

        One whose opening waits for its turn is none: to take its place would add messages and hasten nothing.
        """
        return next((line for line in self._lines.values() if line.opened_at is not None and not line.askers), None)

    def _place_lines(self) -> None:
        """Give the free places, and those of lines nobody waits for, to the contracts that wait, in turn."""
        session = self._session
        while self._queue and session is not None and session.alive:
            con_id, line = next(iter(self._queue.items()))
            leaving: int | None = None
            if self._held >= self._limit:
                # A line opened anew with nobody waiting takes nobody's place.
                idlest = self._idlest() if line.askers else None
                if idlest is None:
                    if line.askers or self._owed:
                        return
                    del self._queue[con_id], self._lines[con_id]
                    continue
                leaving = idlest.request
                self._owed.add(leaving)
                self._forget(idlest)
            else:
                self._held += 1
            del self._queue[con_id]
            line.request = session.client.getReqId()
            self._by_request[line.request] = line
            self._spawn(self._open(session, line, leaving))

    async def _open(self, session: Session, line: Line, leaving: int | None) -> None:
        """Take back the line whose place it is, then open: the gateway never sees one more than allowed."""
        request, contract = line.request, line.resolved.contract
        if leaving is not None:
            await self._cancel(session, leaving)
        if self._by_request.get(request) is not line:
            return  # closed meanwhile, by whoever gives its place back
        try:
            await session.tell(
                Lane.QUOTE,
                lambda: session.client.reqMktData(request, contract, "", False, False, []),
                MESSAGE_SECONDS,
            )
        except BridgeError as error:
            if self._by_request.get(request) is line:
                self._forget(line)
                self._held -= 1
                line.refused = error
        else:
            if line.request == request:
                line.opened_at = clock.monotonic()
                if not line.askers:
                    self._place_lines()
        line.changed.set()

    def _close(self, line: Line) -> None:
        """Take the line back; its place is free once the message has left."""
        session, request = self._session, line.request
        if self._forget(line) and session is not None:
            self._spawn(self._take_back(session, request))

    async def _take_back(self, session: Session, request: int) -> None:
        await self._cancel(session, request)
        self._held -= 1
        self._place_lines()

    async def _cancel(self, session: Session, request: int) -> None:
        """Return when the line's cancellation was sent, until when its place is taken, or the connection is lost."""
        self._owed.add(request)
        while session.alive:
            try:
                await session.tell(Lane.QUOTE, lambda: session.client.cancelMktData(request), MESSAGE_SECONDS)
                break
            except BridgeError as error:
                log.info("a market data line was not taken back yet: %s", error.fact)
        self._owed.discard(request)

    def _forget(self, line: Line) -> bool:
        """Whether it had a place."""
        con_id = line.resolved.contract.conId
        if self._lines.get(con_id) is line:
            del self._lines[con_id]
        self._queue.pop(con_id, None)
        return self._by_request.pop(line.request, None) is not None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="market data line")
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    # --- what the gateway says

    def on_price(self, request: int, tick: int, price: float, size: float) -> None:
        """A price and the size that came with it."""
        if (line := self._by_request.get(request)) is not None:
            line.on_price(tick, price, size)
            self._heard(line)

    def on_size(self, request: int, tick: int, size: float) -> None:
        """A size or volume."""
        if (line := self._by_request.get(request)) is not None:
            line.on_size(tick, size)
            self._heard(line)

    def on_greeks(
        self, request: int, volatility: float, delta: float, gamma: float, vega: float, theta: float, price: float
    ) -> None:
        """An option's implied volatility and greeks."""
        if (line := self._by_request.get(request)) is not None:
            line.on_greeks((volatility, delta, gamma, vega, theta, price))

    def on_last_trade(self, request: int, seconds: str) -> None:
        """When the last trade was."""
        line = self._by_request.get(request)
        if line is not None and seconds.isascii() and seconds.isdigit() and 0 < int(seconds) < 2**33:
            line.last_trade = datetime.fromtimestamp(int(seconds), UTC)

    def on_data_kind(self, request: int, kind: int) -> None:
        """Which kind of data follows."""
        line = self._by_request.get(request)
        if line is not None and kind in KINDS:
            line.kind = self.last_kind = KINDS[kind]

    def on_farm(self, code: int, text: str) -> None:
        """A market data server went away: until a new value comes, lines are old. Which are its own, nobody says."""
        if code == errors.FARM_LOST:
            for line in self._by_request.values():
                line.farm_lost = True
        if code == errors.FARM_BACK:
            # What is asked for again is opened anew, and shows the values of now even where nothing trades.
            for line in [line for line in self._by_request.values() if line.farm_lost and not line.askers]:
                self._close(line)

    def on_quote_error(self, request: int, code: int, text: str) -> bool:
        """An error that names a request; whether it is a line of ours."""
        line = self._by_request.get(request)
        if line is None:
            return False
        if code in errors.INFORMATION:
            line.remarks[code] = text
        elif code == errors.LINES_FULL and self._held > 1:
            self._shrink(line, text)
        else:
            self._refuse(line, code, text)
        line.changed.set()
        return True

    def _refuse(self, line: Line, code: int, text: str) -> None:
        """The line is over: what it said before would only grow old."""
        line.refused = RequestRefused(code, text)
        if code == errors.COMPETING:
            self.competing = True
            self._close(line)  # the gateway keeps it
        else:
            self._forget(line)
            self._held -= 1
            self._place_lines()

    def _shrink(self, line: Line, text: str) -> None:
        """Others use this gateway's lines too: fewer are ours until the next connection; this one waits for a place."""
        log.warning("the gateway allows only %d market data lines to us: %s", self._held - 1, text)
        self._by_request.pop(line.request, None)
        self._held -= 1
        self._limit = self._held
        line.restart()
        con_id = line.resolved.contract.conId
        self._queue[con_id] = line
        self._queue.move_to_end(con_id, last=False)
        self._place_lines()

    def _heard(self, line: Line) -> None:
        self.last_kind = line.kind
        if line.kind is DataKind.LIVE:
            self.competing = False


def _meaning(line: Line) -> BridgeError:
    """The refusal as a caller sees it, with the subscription that is missing."""
    if not isinstance(line.refused, RequestRefused):
        return line.refused or GatewayRefused("the line was closed")
    error = as_bridge_error(line.refused)
    if isinstance(error, NotSubscribed):
        return NotSubscribed(
            error.fact,
            action=f"subscribe to market data for {line.missing_subscription} in the account's settings at IBKR; "
            "there is no delayed data for it either",
        )
    if isinstance(error, Pacing):
        return Pacing(error.fact, action="other programs use this gateway's market data lines; close some of theirs")
    return error
