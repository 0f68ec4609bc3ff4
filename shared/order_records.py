"""The records of orders in Redis: what both processes may read, and how an order is entered before it is queued.

A record is a hash. ``stage`` says how far the order came on this side:

QUEUED     entered by a frontend; no worker has begun it. Past its deadline it can no longer be begun.
HELD       the worker refused to begin it for a reason that may pass: a duplicate, or an unknown order in its way.
SENDING    begun: from here on it may have reached the gateway.
KNOWN      the gateway has shown that it has the order, or has refused it; ``view`` says where it stands.
UNSENT     proven never to have been sent.
RESOLVED   a person decided what became of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from shared import clock, json_text
from shared.contract.order_records import OrderEvent
from shared.redis_keys import Keys
from shared.redis_store import Store

REF_PREFIX: Final = "mcp-"
"""Of every orderRef this project sends; it is the order's key."""

KEEP_MS: Final = 8 * 24 * 3600 * 1000
"""How long a record is kept after its order is over."""

_MOST_EVENTS: Final = 200


class Stage(StrEnum):
    """How far an order came on this side; see the module."""

    QUEUED = "QUEUED"
    HELD = "HELD"
    SENDING = "SENDING"
    KNOWN = "KNOWN"
    UNSENT = "UNSENT"
    RESOLVED = "RESOLVED"


def order_key(caller: str, client_order_id: str) -> str:
    """The key of an order, which is also its orderRef at the gateway: one caller's name for it, hashed."""
    digest = hashlib.sha256(f"{caller}\0{client_order_id}".encode()).digest()
    return REF_PREFIX + base64.b32encode(digest)[:26].decode().lower()


def foreign_key(perm_id: int) -> str:
    """The key of an order that was not placed through this project."""
    return f"perm-{perm_id}"


_ENTER: Final = """
-- KEYS order, history  ARGV keep ms, event, deadline ms, then fields and values. Only a key that is new is entered.
-- The same call again: what was never sent is asked for anew, and what waits may be begun until the later deadline.
local stage = redis.call('HGET', KEYS[1], 'stage')
if stage == 'UNSENT' then
  redis.call('HSET', KEYS[1], 'stage', 'QUEUED')
  redis.call('HDEL', KEYS[1], 'state', 'view', 'may_resubmit')
  redis.call('RPUSH', KEYS[2], ARGV[2])
  redis.call('HSET', KEYS[1], 'deadline_ms', ARGV[3])
elseif stage == 'QUEUED' and tonumber(redis.call('HGET', KEYS[1], 'deadline_ms') or 0) < tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'deadline_ms', ARGV[3])
end
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'stage', 'QUEUED', unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 1
"""

_LEAVE: Final = """
-- KEYS order, history  ARGV event. What no worker has begun is proven unsent.
local stage = redis.call('HGET', KEYS[1], 'stage')
if stage == 'UNSENT' or stage == 'HELD' then return 1 end
if stage ~= 'QUEUED' then return 0 end
redis.call('HSET', KEYS[1], 'stage', 'UNSENT')
redis.call('RPUSH', KEYS[2], ARGV[1])
return 1
"""


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """A record as it lies in Redis."""

    key: str
    fields: Mapping[str, str]

    @property
    def stage(self) -> Stage:
        """How far it came."""
        return Stage(self.fields.get("stage", Stage.SENDING))

    @property
    def view(self) -> str | None:
        """The worker's newest word on the order: an ``OrderDetail`` without history, as JSON."""
        return self.fields.get("view")

    @property
    def client_order_id(self) -> str | None:
        """The placing agent's own name for it."""
        return self.fields.get("client_order_id")

    @property
    def caller(self) -> str | None:
        """Who placed it."""
        return self.fields.get("caller")

    def number(self, name: str) -> int:
        """A field that counts or tells milliseconds; 0 where it is missing."""
        return int(self.fields.get(name, 0))


class OrderRecords:
    """Reads records, and enters orders before they are queued."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys
        self._enter = store.script(_ENTER)
        self._leave = store.script(_LEAVE)

    async def get(self, key: str) -> StoredOrder | None:
        """One record."""
        fields = await self._store.hash(self._keys.order(key))
        return StoredOrder(key, fields) if fields else None

    async def history(self, key: str) -> list[OrderEvent]:
        """What happened to an order, oldest first; the last two hundred steps."""
        rows = await self._store.list_end(self._keys.order_history(key), _MOST_EVENTS)
        return [OrderEvent.model_validate_json(row) for row in rows]

    async def keys_named(self, name: str) -> list[str]:
        """The orders that ``perm:N`` or ``id:N`` means."""
        return sorted(await self._store.members(self._keys.order_named(name)))

    async def enter(
        self,
        key: str,
        *,
        caller: str,
        client_order_id: str,
        operation: str,
        arguments: Mapping[str, Any],
        deadline_ms: int,
    ) -> None:
        """Note an order before it is queued, unless its key is known already."""
        await self._enter(
            keys=[self._keys.order(key), self._keys.order_history(key)],
            args=[
                KEEP_MS, event("asked for", f"by {caller}: {operation}"), deadline_ms,
                "caller", caller, "client_order_id", client_order_id, "operation", operation,
                "arguments", json.dumps(arguments, default=str), "queued_ms", int(clock.now().timestamp() * 1000),
                "deadline_ms", deadline_ms,
            ],
        )  # fmt: skip

    async def leave(self, key: str, why: str) -> bool:
        """A call for an order was taken back; whether the order certainly never left, by an earlier call either."""
        left: int = await self._leave(
            keys=[self._keys.order(key), self._keys.order_history(key)], args=[event("never sent", why)]
        )
        return left == 1


def event(what: str, detail: str | None = None) -> str:
    """One step of an order's story as it is stored."""
    return json_text.dumps(OrderEvent(at=clock.now(), event=what, detail=detail))
