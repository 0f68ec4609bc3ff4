"""The records of orders in Redis: what both processes may read, and how an order is entered before it is queued.

A record is a hash. ``stage`` says how far the order came on this side:

QUEUED     entered by a frontend; no worker has begun it. Past its deadline it can no longer be begun.
HELD       refused before it was begun, for a reason that may pass: the same call may be made again.
SENDING    begun: from here on it may have reached the gateway.
KNOWN      the gateway has shown that it has the order, or has refused it; ``view`` says where it stands.
UNSENT     never sent, and never to be sent under this name: its time ran out, and so it was told.
RESOLVED   a person decided what became of it.

A repeat of a call may give an order more time while it waits. It never brings back what anybody may have been told is
EXPIRED: one name, one answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
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

_KEY: Final = re.escape(REF_PREFIX) + "[a-z2-7]{26}"

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
-- KEYS order, history  ARGV keep ms, event, event of a deadline that passed, deadline ms, then fields and values
-- ``waiting`` counts the calls that wait for an order nobody has begun.
local stage = redis.call('HGET', KEYS[1], 'stage')
if stage == 'QUEUED' then
  local time = redis.call('TIME')
  local until_ms = tonumber(redis.call('HGET', KEYS[1], 'deadline_ms') or 0)
  if time[1] * 1000 + math.floor(time[2] / 1000) >= until_ms then
    redis.call('HSET', KEYS[1], 'stage', 'UNSENT', 'why', 'its deadline passed before any worker began it')
    redis.call('RPUSH', KEYS[2], ARGV[3])
    return 0
  end
  redis.call('HINCRBY', KEYS[1], 'waiting', 1)
  if until_ms < tonumber(ARGV[4]) then redis.call('HSET', KEYS[1], 'deadline_ms', ARGV[4]) end
elseif stage == 'HELD' then
  redis.call('HSET', KEYS[1], 'stage', 'QUEUED', 'deadline_ms', ARGV[4], 'waiting', 1)
  redis.call('HDEL', KEYS[1], 'why', 'may_resubmit', 'held_by', 'held_for')
  -- Held back before its contract was known, it may have been corrected.
  if redis.call('HEXISTS', KEYS[1], 'fingerprint') == 0 then redis.call('HSET', KEYS[1], unpack(ARGV, 5)) end
  redis.call('RPUSH', KEYS[2], ARGV[2])
end
if stage then return 0 end
redis.call('HSET', KEYS[1], 'stage', 'QUEUED', 'deadline_ms', ARGV[4], 'waiting', 1, unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 1
"""

_LEAVE: Final = """
-- KEYS order, history, sentinel  ARGV event, UNSENT or HELD, why, keep ms
-- What no worker has begun is never sent: nothing begins it any more (UNSENT), or only a new call does (HELD).
local stage = redis.call('HGET', KEYS[1], 'stage')
if not stage and ARGV[2] == 'UNSENT' then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'stage', 'UNSENT', 'why', ARGV[3], 'queued_ms', time[1] * 1000)
  redis.call('RPUSH', KEYS[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
elseif stage == 'QUEUED' or (stage == 'HELD' and ARGV[2] == 'UNSENT') then
  if ARGV[2] == 'HELD' and redis.call('HINCRBY', KEYS[1], 'waiting', -1) > 0 then return 0 end
  redis.call('HSET', KEYS[1], 'stage', ARGV[2], 'why', ARGV[3], 'may_resubmit', 1)
  redis.call('RPUSH', KEYS[2], ARGV[1])
elseif stage ~= 'UNSENT' and stage ~= 'HELD' then
  return 0
end
-- A Redis that was wiped and is not reconciled yet knows nothing of what was sent before.
return redis.call('EXISTS', KEYS[3])
"""

_LOOK: Final = """
-- KEYS order, sentinel. The record, Redis's clock, and whether this Redis is one that was reconciled.
local time = redis.call('TIME')
return {redis.call('HGETALL', KEYS[1]), time[1] * 1000 + math.floor(time[2] / 1000), redis.call('EXISTS', KEYS[2])}
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

    @property
    def account(self) -> str | None:
        """The account it is in, as the worker resolved it; None while no worker has begun it."""
        if place := self.fields.get("place"):
            return place.partition("|")[0]
        account: str | None = json.loads(self.view).get("account") if self.view else None
        return account

    def number(self, name: str) -> int:
        """A field that counts or tells milliseconds; 0 where it is missing."""
        return int(self.fields.get(name, 0))


@dataclass(frozen=True, slots=True)
class Sighting:
    """A record at one moment."""

    order: StoredOrder | None
    at_ms: int
    """The moment by Redis's clock, the one that BEGIN judges a deadline by."""
    reconciled: bool
    """Whether this Redis was compared with the gateway since it began. Where not, it may have forgotten orders."""


class OrderRecords:
    """Reads records, and enters orders before they are queued."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys
        self._enter = store.script(_ENTER)
        self._leave = store.script(_LEAVE)
        self._look = store.script(_LOOK)

    async def get(self, key: str) -> StoredOrder | None:
        """One record."""
        fields = await self._store.hash(self._keys.order(key))
        return StoredOrder(key, fields) if fields else None

    async def look(self, key: str) -> Sighting:
        """One record, and by which clock and in which Redis it was read."""
        pairs, at_ms, reconciled = await self._look(keys=[self._keys.order(key), self._keys.sentinel], args=[])
        texts = [text.decode() for text in pairs]
        fields = dict(zip(texts[::2], texts[1::2], strict=True))
        return Sighting(StoredOrder(key, fields) if fields else None, int(at_ms), bool(reconciled))

    async def look_at(self, keys: Sequence[str]) -> list[Sighting]:
        """The records that there are of these, as ``look`` reads each, in two round trips."""
        _, at_ms, reconciled = await self._look(keys=[self._keys.order(""), self._keys.sentinel], args=[])
        rows = await self._store.hashes([self._keys.order(key) for key in keys])
        found = [StoredOrder(key, fields) for key, fields in zip(keys, rows, strict=True) if fields]
        return [Sighting(order, int(at_ms), bool(reconciled)) for order in found]

    async def history(self, key: str) -> list[OrderEvent]:
        """What happened to an order, oldest first; the last two hundred steps."""
        rows = await self._store.list_end(self._keys.order_history(key), _MOST_EVENTS)
        return [OrderEvent.model_validate_json(row) for row in rows]

    async def keys_named(self, name: str) -> list[str]:
        """The orders that ``perm:N`` or ``id:N`` means."""
        return sorted(await self._store.members(self._keys.order_named(name)))

    async def keys_meant(self, caller: str, handle: str) -> list[str]:
        """The keys of the orders that this caller may mean by a handle, whether there are such or not."""
        if perm := re.fullmatch(r"perm:\s*(\d{1,12})", handle, re.IGNORECASE):
            return await self.keys_named(f"perm:{int(perm[1])}")
        if handle.isascii() and handle.isdigit():
            return await self.keys_named(f"id:{int(handle)}")
        if re.fullmatch(_KEY, handle) and await self.get(handle) is not None:
            return [handle]
        return [order_key(caller, handle)]

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
        """Note an order before it is queued, unless its key is known already; see the module for repeats."""
        await self._enter(
            keys=[self._keys.order(key), self._keys.order_history(key)],
            args=[
                KEEP_MS, event("asked for", f"by {caller}: {operation}"),
                event("never sent", "its deadline passed before any worker began it"), deadline_ms,
                "caller", caller, "client_order_id", client_order_id, "operation", operation,
                "arguments", json.dumps(arguments, default=str), "queued_ms", int(clock.now().timestamp() * 1000),
            ],
        )  # fmt: skip

    async def leave(self, key: str, why: str, *, ended: bool) -> bool:
        """A call for an order was taken back; whether the order certainly never left, by an earlier call either.

        ``ended`` where the caller is told that it is EXPIRED: then it never will be sent under this name. Else the
        caller is told of an error, and may make the same call again.
        """
        stage = Stage.UNSENT if ended else Stage.HELD
        left: int = await self._leave(
            keys=[self._keys.order(key), self._keys.order_history(key), self._keys.sentinel],
            args=[event("never sent", why), stage.value, why, KEEP_MS],
        )
        return left == 1


def event(what: str, detail: str | None = None) -> str:
    """One step of an order's story as it is stored."""
    return json_text.dumps(OrderEvent(at=clock.now(), event=what, detail=detail))
