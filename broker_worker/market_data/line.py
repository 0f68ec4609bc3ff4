"""One contract's market data line: what has come over it, and of which kind it is."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from broker_worker.contracts import Resolved
from broker_worker.gateway import errors
from broker_worker.gateway.convert import exact
from broker_worker.gateway.errors import RequestRefused
from shared import clock
from shared.contract.market_data import DataKind
from shared.errors import BridgeError

KINDS = {1: DataKind.LIVE, 2: DataKind.FROZEN, 3: DataKind.DELAYED, 4: DataKind.DELAYED_FROZEN}
PRICES = {1: "bid", 2: "ask", 4: "last", 9: "close", 66: "bid", 67: "ask", 68: "last", 75: "close"}
SIZES = {8: "volume", 74: "volume"}
DELAYED_FROM, DELAYED_TO = 66, 88
"""Tick types of delayed values. Source: TWS API, Tick Types."""
GREEKS = ("implied_volatility", "delta", "gamma", "vega", "theta", "underlying_price")
_WANTED = {
    "CASH": frozenset({"bid", "ask"}),
    "IND": frozenset({"last", "close"}),
    "OPT": frozenset({"bid", "ask", "delta"}),
    "FOP": frozenset({"bid", "ask", "delta"}),
}
"""What makes a quote complete where it is not all four: currencies have no trades, indices no book, options few."""
_ALL_FOUR = frozenset({"bid", "ask", "last", "close"})
_SOURCE = re.compile(r"[A-Z0-9][A-Z0-9. ]* [A-Z0-9.]+/\w+/\w+\s*$")
"""How the gateway names a subscription at the end of a refusal, as in ``AAPL NASDAQ.NMS/TOP/ALL``; seen in its logs."""
_WORST_GREEK = Decimal(-1)


@dataclass(slots=True)
class Line:
    """One contract's stream and the newest of each value."""

    resolved: Resolved
    asked_at: float
    request: int = 0
    """0 until it has a place among the lines the gateway allows."""
    askers: int = 0
    """Callers that wait for it now; such a line is never taken away."""
    values: dict[str, Decimal | None] = field(default_factory=dict[str, Decimal | None])
    kind: DataKind = DataKind.LIVE
    updated: datetime | None = None
    last_trade: datetime | None = None
    opened_at: float | None = None
    """When its request was sent."""
    begun_at: float | None = None
    """When the first value came, or word that none may; what has not come soon after is not waited for again."""
    refused: RequestRefused | BridgeError | None = None
    remarks: dict[int, str] = field(default_factory=dict[int, str])
    farm_lost: bool = False
    """Whether the servers it comes from went away since its last value."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        """Patience for the first value ends here, that for the rest begins."""
        if self.begun_at is None:
            self.begun_at = clock.monotonic()

    def restart(self) -> None:
        """Nothing that came is known to be true any more; the line has no place."""
        self.values.clear()
        self.remarks.clear()
        self.kind, self.updated, self.last_trade = DataKind.LIVE, None, None
        self.request, self.opened_at, self.begun_at, self.refused = 0, None, None, None
        self.farm_lost = False

    @property
    def complete(self) -> bool:
        """Whether every value a quote of this kind of contract has is there, or known to be absent."""
        return _WANTED.get(self.resolved.contract.secType, _ALL_FOUR) <= self.values.keys()

    @property
    def shown_kind(self) -> DataKind:
        """What a caller is told: values whose source went away are what there was last."""
        if not self.farm_lost:
            return self.kind
        return DataKind.FROZEN if self.kind in {DataKind.LIVE, DataKind.FROZEN} else DataKind.DELAYED_FROZEN

    @property
    def delayed(self) -> bool:
        """Whether live data is missing."""
        return self.kind in {DataKind.DELAYED, DataKind.DELAYED_FROZEN} or errors.DELAYED_FOLLOWS in self.remarks

    @property
    def missing_subscription(self) -> str | None:
        """What would have to be subscribed for live data; None where nothing is missing."""
        texts = [
            text for code, text in self.remarks.items() if code in errors.NOT_SUBSCRIBED | {errors.DELAYED_FOLLOWS}
        ]
        if isinstance(self.refused, RequestRefused) and self.refused.code in errors.NOT_SUBSCRIBED:
            texts.append(self.refused.text)
        if not texts and not self.delayed:
            return None
        named = next((match[0].strip() for text in texts if (match := _SOURCE.search(text))), None)
        listed = self.resolved.listed
        return named or f"{listed.sec_type} at {listed.primary_exchange or listed.exchange}"

    def note(self) -> str | None:
        """What a caller must know about the values beside their kind, in plain words."""
        if self.farm_lost:
            return "the gateway's market data server is not connected: these are the last prices before"
        if self.delayed:
            return "no live data subscription for this contract: prices are delayed by 15 to 20 minutes"
        if (part := self.remarks.get(errors.PART_MISSING)) is not None:
            return part
        return None

    def on_price(self, tick: int, price: float, size: float) -> None:
        """A price and the size that came with it; -1 without a size means there is none."""
        name = PRICES.get(tick)
        if name is None:
            return
        absent = (price == -1 and size == 0) or (name == "close" and price == 0)
        self.values[name] = None if absent else exact(price)
        self._touched(tick)

    def on_size(self, tick: int, size: float) -> None:
        """A size or volume."""
        if (name := SIZES.get(tick)) is not None:
            self.values[name] = exact(size)
            self._touched(tick)

    def on_greeks(self, values: tuple[float, ...]) -> None:
        """The option model's values, in the order of ``GREEKS``; -1 and -2 stand for none."""
        volatility, delta, *rest = (exact(value) for value in values)
        gamma, vega, theta, underlying = rest
        told = (
            volatility if volatility is not None and volatility >= 0 else None,
            delta if delta is not None and abs(delta) <= 1 else None,
            *(value if value is not None and value != -2 else None for value in (gamma, vega, theta)),
            underlying if underlying is not None and underlying > 0 else None,
        )
        for name, value in zip(GREEKS, told, strict=True):
            self.values[name] = round(value, 6) if value is not None else None
        self._touched(0)

    def _touched(self, tick: int) -> None:
        if DELAYED_FROM <= tick <= DELAYED_TO and self.kind in {DataKind.LIVE, DataKind.FROZEN}:
            self.kind = DataKind.DELAYED
        self.updated = clock.now()
        self.farm_lost = False
        self.begin()
        self.changed.set()
