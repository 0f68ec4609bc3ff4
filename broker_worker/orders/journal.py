"""What Redis remembers of each order: that it was begun, as what, and the last answer given about it.

The record is written before the order is sent, so that the same key never sends a second one, whatever is lost after.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from broker_worker.orders.book import REF_PREFIX
from shared.redis_keys import Keys
from shared.redis_store import Store

KEEP_MS: Final = 8 * 24 * 3600 * 1000
"""How long a record is kept after it was last written."""


_NAMES_MOST = 10_000


def order_key(caller: str, client_order_id: str) -> str:
    """The key of an order, which is also its orderRef at the gateway: one caller's name for it, hashed."""
    digest = hashlib.sha256(f"{caller}\0{client_order_id}".encode()).digest()
    return REF_PREFIX + base64.b32encode(digest)[:26].decode().lower()


class Begun(StrEnum):
    """What came of beginning an order."""

    NEW = "NEW"
    """It was not known: it may be sent now, once."""
    SAME = "SAME"
    OTHER = "OTHER"
    """The key names a different order."""
    LATE = "LATE"
    """Its deadline has passed."""
    NOT_LEADER = "NOT_LEADER"
    """Another worker holds the lease."""


_BEGIN: Final = """
-- KEYS order, lease  ARGV holder, deadline ms, fingerprint, keep ms, client_order_id, caller, order, attempt
local known = redis.call('HGET', KEYS[1], 'fingerprint')
if known then
  if known ~= ARGV[3] then return 'OTHER' end
  if redis.call('HGET', KEYS[1], 'attempt') == ARGV[8] then return 'NEW' end
  return 'SAME'
end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'NOT_LEADER' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now >= tonumber(ARGV[2]) then return 'LATE' end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[3], 'state', 'SENDING', 'begun_ms', now, 'epoch', ARGV[1],
           'client_order_id', ARGV[5], 'caller', ARGV[6], 'order', ARGV[7], 'attempt', ARGV[8])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'NEW'
"""

_NOTE: Final = """
-- KEYS order  ARGV keep ms, then fields and values. Only a record that exists is written to.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One order's record."""

    fingerprint: str
    state: str
    """SENDING, UNSENT (proven), or the state last answered."""
    client_order_id: str
    answer: str | None
    """The last answer given, as JSON."""


class Journal:
    """The records of one gateway session's orders."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys
        self._begin = store.script(_BEGIN)
        self._note = store.script(_NOTE)
        self._names: dict[str, str] = {}

    async def find(self, key: str) -> Entry | None:
        """The record of an order; None where there is none."""
        fields = await self._store.hash(self._keys.order(key))
        if "fingerprint" not in fields:
            return None
        return Entry(fields["fingerprint"], fields["state"], fields["client_order_id"], fields.get("answer"))

    async def begin(
        self,
        key: str,
        *,
        holder: str,
        deadline_ms: int,
        fingerprint: str,
        client_order_id: str,
        caller: str,
        order: str,
        attempt: str,
    ) -> Begun:
        """Ask and note in one step whether the order is new, in time and ours to send.

        An ``attempt`` that asks again, because the first answer was lost, gets the first answer again.
        """
        outcome: bytes = await self._begin(
            keys=[self._keys.order(key), self._keys.lease],
            args=[holder, deadline_ms, fingerprint, KEEP_MS, client_order_id, caller, order, attempt],
        )
        return Begun(outcome.decode())

    async def name(self, key: str) -> str | None:
        """The client_order_id behind one of our orderRefs; None where it is no longer known."""
        if key not in self._names:
            entry = await self.find(key)
            if entry is None:
                return None
            self._names[key] = entry.client_order_id
            if len(self._names) > _NAMES_MOST:
                self._names.pop(next(iter(self._names)))
        return self._names[key]

    async def note(self, key: str, **fields: str | int) -> None:
        """Add to the record what became of the order."""
        pairs = [part for pair in fields.items() for part in pair]
        await self._note(keys=[self._keys.order(key)], args=[KEEP_MS, *pairs])
