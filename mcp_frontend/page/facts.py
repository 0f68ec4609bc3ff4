"""What the page shows, read from Redis; where that is away the page says so and shows the rest."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mcp_frontend.callers import Caller
from mcp_frontend.order_records import detail_of, open_to
from mcp_frontend.status import RedisStatus
from shared.audit import Audit
from shared.contract import Call
from shared.contract.order_records import OrderDetail
from shared.contract.orders import OrderState
from shared.contract.status import BridgeStatus
from shared.history import FrontendWord, History, LinkChange, Minute
from shared.order_records import OrderRecords, Sighting
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store

log = logging.getLogger(__name__)

REDIS_SECONDS = 3.0
ORDERS_SINCE = timedelta(hours=24)
_DECISIONS_READ = 1_000
"""Entries of the audit that are looked at, the newest."""
ORDERS_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOrder:
    """One order, and who placed it."""

    detail: OrderDetail
    caller: str | None
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything on the page."""

    status: BridgeStatus
    minutes: list[Minute] = field(default_factory=list[Minute])
    changes: list[LinkChange] = field(default_factory=list[LinkChange])
    frontends: list[FrontendWord] = field(default_factory=list[FrontendWord])
    orders: list[ShownOrder] = field(default_factory=list[ShownOrder])
    """UNKNOWN first, then open ones, then the newest."""
    orders_left_out: int = 0
    withheld: bool = False
    """Whether the rest is kept from somebody who did not say who they are: it is about a live account."""
    read: bool = True
    """Whether Redis answered; else all of this is empty and means nothing."""

    @property
    def unknown(self) -> list[ShownOrder]:
        """The orders of which nobody knows whether the gateway has them."""
        return [order for order in self.orders if order.detail.state is OrderState.UNKNOWN]


class FactFinder:
    """Reads the facts."""

    def __init__(self, store: Store, keys: Keys, status: RedisStatus) -> None:
        self._store = store
        self._keys = keys
        self._status = status
        self._records = OrderRecords(store, keys)
        self._history = History(store, keys)
        self._audit = Audit(store, keys)

    async def facts(self, caller: Caller) -> Facts:
        """What this caller may see."""
        call = Call(
            caller=caller.name,
            scopes=caller.scopes,
            accounts=caller.accounts,
            authenticated=caller.authenticated,
            request_id="status-page",
            deadline=datetime.now(UTC) + timedelta(seconds=REDIS_SECONDS),
        )
        status = await self._status.get_status(call)
        if not caller.authenticated and status.worker is not None and status.worker.trading_mode == "live":
            worker = status.worker.model_copy(update={"accounts": []})
            return Facts(status=status.model_copy(update={"worker": worker}), withheld=True)
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                orders = await self._orders(call)
                return Facts(
                    status=status,
                    minutes=await self._history.minutes(),
                    changes=await self._history.changes(),
                    frontends=await self._history.frontends(),
                    orders=orders[:ORDERS_SHOWN],
                    orders_left_out=max(len(orders) - ORDERS_SHOWN, 0),
                )
        except (RedisAway, TimeoutError):
            return Facts(status=status, read=False)

    async def _orders(self, call: Call) -> list[ShownOrder]:
        """The open ones, the unknown ones, and whatever was decided about in the last day."""
        unknown = set(await self._store.hash(self._keys.orders_unknown))
        keys = unknown | await self._store.members(self._keys.orders_open)
        decided = await self._audit.read(since=datetime.now(UTC) - ORDERS_SINCE, most=_DECISIONS_READ)
        keys |= {entry["key"] for entry in decided if entry.get("key")}
        seen = await self._records.look_at(sorted(keys))
        shown = [order for sighting in seen if (order := _shown(sighting, unknown, call)) is not None]
        newest_first = sorted(shown, key=lambda order: order.detail.as_of, reverse=True)
        return sorted(newest_first, key=lambda order: _rank(order.detail.state))


def _shown(sighting: Sighting, unknown: set[str], call: Call) -> ShownOrder | None:
    """One row; None where the caller may not see it, or it cannot be read."""
    stored = sighting.order
    try:
        if stored is None or not open_to(call, stored):
            return None
        detail = detail_of(sighting)
    except ValueError:
        log.warning("the record of an order cannot be read: it is of another release")
        return None
    if stored.key in unknown:
        detail = detail.model_copy(update={"state": OrderState.UNKNOWN})
    return ShownOrder(detail=detail, caller=stored.caller, key=stored.key)


def _rank(state: OrderState | None) -> int:
    if state is OrderState.UNKNOWN:
        return 0
    return 1 if state is not None and not state.final else 2
