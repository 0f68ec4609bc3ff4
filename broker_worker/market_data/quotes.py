"""One streaming line per contract, shared by all callers.

A line is opened when somebody asks, kept while it is asked for, and closed when nobody has for a while or a new one
needs its place: the gateway allows about a hundred for everybody together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from broker_worker.contracts import Resolved
from broker_worker.gateway import errors
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.callbacks import QuoteListener
from broker_worker.gateway.convert import exact
from broker_worker.gateway.errors import RequestRefused, as_bridge_error
from shared import clock
from shared.contract.market_data import DataKind
from shared.errors import Busy, CompetingSession, GatewayRefused

if TYPE_CHECKING:
    from broker_worker.gateway.session import Session

log = logging.getLogger(__name__)

FIRST_PATIENCE = 5.0
"""Seconds until an answer is given up where nothing has come at all."""
REST_PATIENCE = 1.5
"""Seconds after a line's first value until answers are given with what there is."""
KEEP_WARM = 60.0
"""Seconds a line stays open after it was last asked for."""
SWEEP_EVERY = 5.0

LIVE_OR_WHAT_THERE_IS = 4
"""Market data type: live where permitted, else delayed, frozen where the market is closed. Source: TWS API."""

_KINDS = {1: DataKind.LIVE, 2: DataKind.FROZEN, 3: DataKind.DELAYED, 4: DataKind.DELAYED_FROZEN}
_PRICES = {1: "bid", 2: "ask", 4: "last", 9: "close", 66: "bid", 67: "ask", 68: "last", 75: "close"}
_SIZES = {8: "volume", 74: "volume"}
_WANTED = {"CASH": {"bid", "ask"}, "IND": {"last", "close"}}
"""What makes a quote complete where it is not all four: currencies have no trades, indices no book."""
_DELAYED_FROM, _DELAYED_TO = 66, 76


@dataclass(slots=True)
class Line:
    """One contract's stream and the newest of each value."""

    resolved: Resolved
    request: int
    asked_at: float
    values: dict[str, Decimal | None] = field(default_factory=dict[str, Decimal | None])
    kind: DataKind = DataKind.LIVE
    updated: datetime | None = None
    begun_at: float | None = None
    """When the first value came, or word that none may; what has not come soon after is not waited for again."""
    refused: RequestRefused | None = None
    remarks: dict[int, str] = field(default_factory=dict[int, str])
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        """Patience for the first value ends here, that for the rest begins."""
        if self.begun_at is None:
            self.begun_at = clock.monotonic()

    @property
    def complete(self) -> bool:
        """Whether every value a quote of this kind of contract has is there, or known to be absent."""
        wanted = _WANTED.get(self.resolved.contract.secType, {"bid", "ask", "last", "close"})
        return wanted <= self.values.keys()


class QuoteBoard(QuoteListener):
    """The lines that are open, never more than ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines: dict[int, Line] = {}
        self._by_request: dict[int, Line] = {}
        self._opening = asyncio.Lock()
        self._session: Session | None = None
        self.last_kind: DataKind | None = None
        self.competing = False

    async def synchronise(self, session: Session) -> None:
        """After a connection, or when the gateway lost its data: every line is gone; callers open them anew."""
        self._session = session
        for line in self._lines.values():
            line.refused = RequestRefused(errors.LINK_LOST, "the connection to the gateway was lost")
            line.changed.set()
        for request in self._by_request:
            await session.tell(Lane.QUOTE, _cancel(session, request))
        self._lines.clear()
        self._by_request.clear()
        self.competing = False
        await session.tell(Lane.QUOTE, lambda: session.client.reqMarketDataType(LIVE_OR_WHAT_THERE_IS))

    async def quote(self, session: Session, resolved: Resolved, first_patience: float = FIRST_PATIENCE) -> Line:
        """The contract's line with a complete quote, or with what there is when patience ends.

        Raises what the gateway's refusal means, and ``GatewayRefused`` where no value came at all.
        """
        line = await self._line(session, resolved)
        give_up = clock.monotonic() + first_patience
        while not line.complete and line.refused is None:
            if line.begun_at is not None:
                give_up = min(give_up, line.begun_at + REST_PATIENCE)
            line.changed.clear()
            try:
                async with asyncio.timeout(max(give_up - clock.monotonic(), 0)):
                    await line.changed.wait()
            except TimeoutError:
                break
        line.asked_at = clock.monotonic()
        if line.refused is not None:
            self._close(line)
            raise as_bridge_error(line.refused)
        if line.updated is None:
            self._close(line)
            if self.competing:
                raise CompetingSession(line.remarks.get(errors.COMPETING, "another session holds the market data"))
            raise GatewayRefused(
                f"no market data for {resolved.contract.symbol} arrived within {first_patience:g} s",
                action="check that its market is open and the data is subscribed; try again",
                retry="after 10 s",
            )
        return line

    async def sweep(self) -> None:
        """Close lines nobody asks for any more, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            for line in [line for line in self._lines.values() if clock.monotonic() - line.asked_at > KEEP_WARM]:
                self._close(line)

    async def _line(self, session: Session, resolved: Resolved) -> Line:
        async with self._opening:
            line = self._lines.get(resolved.contract.conId)
            if line is not None:
                line.asked_at = clock.monotonic()
                return line
            self._make_room()
            line = Line(resolved, session.client.getReqId(), clock.monotonic())
            self._lines[resolved.contract.conId] = self._by_request[line.request] = line
            try:
                await session.tell(
                    Lane.QUOTE,
                    lambda: session.client.reqMktData(line.request, resolved.contract, "", False, False, []),
                )
            except BaseException:
                self._forget(line)
                raise
            return line

    def _make_room(self) -> None:
        if len(self._lines) < self._most:
            return
        oldest = min(self._lines.values(), key=lambda line: line.asked_at)
        if clock.monotonic() - oldest.asked_at < FIRST_PATIENCE:
            raise Busy("every market data line is in use")
        self._close(oldest)

    def _close(self, line: Line) -> None:
        """Take the line back; the message waits for its turn in the budget on its own."""
        if self._forget(line) and self._session is not None and self._session.alive:
            self._session.tell_later(Lane.QUOTE, _cancel(self._session, line.request))

    def _forget(self, line: Line) -> bool:
        if self._by_request.pop(line.request, None) is None:
            return False
        self._lines.pop(line.resolved.contract.conId, None)
        return True

    def on_price(self, request: int, tick: int, price: float, size: float) -> None:
        """A price and the size that came with it; -1 without a size means there is none."""
        line, name = self._by_request.get(request), _PRICES.get(tick)
        if line is None or name is None:
            return
        absent = (price == -1 and size == 0) or (name == "close" and price == 0)
        line.values[name] = None if absent else exact(price)
        if _DELAYED_FROM <= tick <= _DELAYED_TO and line.kind in {DataKind.LIVE, DataKind.FROZEN}:
            line.kind = DataKind.DELAYED
        self._touched(line)

    def on_size(self, request: int, tick: int, size: float) -> None:
        """A size or volume."""
        line, name = self._by_request.get(request), _SIZES.get(tick)
        if line is not None and name is not None:
            line.values[name] = exact(size)
            self._touched(line)

    def on_data_kind(self, request: int, kind: int) -> None:
        """Which kind of data follows."""
        line = self._by_request.get(request)
        if line is not None and kind in _KINDS:
            line.kind = self.last_kind = _KINDS[kind]

    def on_quote_error(self, request: int, code: int, text: str) -> bool:
        """An error that names a request; whether it is a line of ours."""
        line = self._by_request.get(request)
        if line is None:
            return False
        if code == errors.COMPETING:
            self.competing = True
        if code in errors.INFORMATION or code == errors.COMPETING:
            line.remarks[code] = text
            if code == errors.COMPETING:
                line.begin()
        else:
            line.refused = RequestRefused(code, text)
        line.changed.set()
        return True

    def _touched(self, line: Line) -> None:
        line.updated = clock.now()
        line.begin()
        self.last_kind = line.kind
        if line.kind is DataKind.LIVE:
            self.competing = False
        line.changed.set()


def _cancel(session: Session, request: int) -> Callable[[], None]:
    return lambda: session.client.cancelMktData(request)
