"""Which order a handle names: a number, ``perm:N``, the agent's own name for it, or an order's key."""

from __future__ import annotations

import re

from broker_worker.orders.book import OrderBook
from broker_worker.orders.journal import Journal
from broker_worker.orders.record import OrderRecord
from shared.errors import InvalidArgument
from shared.order_records import REF_PREFIX, order_key
from shared.redis_store import RedisAway


class OrderFinder:
    """Looks orders up by what agents call them."""

    def __init__(self, book: OrderBook, journal: Journal) -> None:
        self._book = book
        self._journal = journal

    def find(self, caller: str, handle: str) -> OrderRecord | None:
        """The order a handle names; raises ``InvalidArgument`` where it names several."""
        if perm := re.fullmatch(r"perm:\s*(\d{1,12})", handle, re.IGNORECASE):
            return self._book.by_perm(int(perm[1]))
        if not (handle.isascii() and handle.isdigit()):
            return self._book.by_ref(order_key(caller, handle)) or self._book.by_ref(handle)
        candidates = self._book.by_order_id(int(handle))
        if len(candidates) > 1:
            named = "; ".join(
                f"perm:{record.perm_id} {record.action} {record.symbol} by client {record.client_id}"
                for record in candidates[:6]
            )
            raise InvalidArgument(f"order {handle} could be {named}", action="name the order by its perm:N")
        return candidates[0] if candidates else None

    async def name(self, record: OrderRecord) -> str | None:
        """The agent's own name of one of ours; None for others', and while Redis is away."""
        if not record.ref.startswith(REF_PREFIX):
            return None
        try:
            return await self._journal.name(record.ref)
        except RedisAway:
            return None
