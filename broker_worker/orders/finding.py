"""Which order a handle names: a number, ``perm:N``, the agent's own name for it, or an order's key."""

from __future__ import annotations

import re

from broker_worker.orders.book import OrderBook
from broker_worker.orders.journal import Journal
from broker_worker.orders.record import OrderRecord
from shared.contract import Call
from shared.errors import InvalidArgument
from shared.order_records import REF_PREFIX, order_key
from shared.redis_store import RedisAway


class OrderFinder:
    """Looks orders up by what agents call them."""

    def __init__(self, book: OrderBook, journal: Journal) -> None:
        self._book = book
        self._journal = journal

    def find(self, call: Call, handle: str) -> OrderRecord | None:
        """The order a handle names; raises ``InvalidArgument`` where it names several.

        An order in an account that the caller may not see does not exist for it.
        """
        candidates = [record for record in self._named(call.caller, handle) if call.may_see(record.account)]
        if len(candidates) > 1:
            named = "; ".join(
                f"perm:{record.perm_id} {record.action} {record.symbol} by client {record.client_id}"
                for record in candidates[:6]
            )
            raise InvalidArgument(f"order {handle} could be {named}", action="name the order by its perm:N")
        return candidates[0] if candidates else None

    def _named(self, caller: str, handle: str) -> list[OrderRecord]:
        if perm := re.fullmatch(r"perm:\s*(\d{1,12})", handle, re.IGNORECASE):
            found = self._book.by_perm(int(perm[1]))
        elif handle.isascii() and handle.isdigit():
            return self._book.by_order_id(int(handle))
        else:
            found = self._book.by_ref(order_key(caller, handle)) or self._book.by_ref(handle)
        return [found] if found is not None else []

    async def name(self, record: OrderRecord) -> str | None:
        """The agent's own name of one of ours; None for others', and while Redis is away."""
        if not record.ref.startswith(REF_PREFIX):
            return None
        try:
            return await self._journal.name(record.ref)
        except RedisAway:
            return None
