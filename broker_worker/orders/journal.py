"""The worker's side of the orders' records: begin an order at most once, note what became of it, find what is open."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared import json_text
from shared.contract.orders import OrderState
from shared.order_records import KEEP_MS, OrderRecords, Stage, StoredOrder, event
from shared.redis_keys import Keys
from shared.redis_store import Store

_NAMES_MOST = 10_000
_SETTLED = "Nothing: a person looked it up and settled it."


class Begun(StrEnum):
    """What came of beginning an order."""

    NEW = "NEW"
    """It was not known, or not begun: it may be sent now, once."""
    SAME = "SAME"
    """It was begun before."""
    OTHER = "OTHER"
    """The key names a different order."""
    LATE = "LATE"
    """Its deadline has passed."""
    NOT_LEADER = "NOT_LEADER"
    """Another worker holds the lease."""
    DUPLICATE = "DUPLICATE"
    """An order with the same content is too recent, or not resolved."""
    BLOCKED = "BLOCKED"
    """An order of unknown fate stands in the same account and contract."""
    WIPED = "WIPED"
    """This is not the Redis that was reconciled."""


_BEGIN: Final = """
-- KEYS order, history, lease, sentinel, open, unknown, like
-- ARGV holder, sentinel, deadline ms, fingerprint, attempt, key, account and contract, duplicate window ms,
--      key it may repeat, prefix of order keys, event, event where held, keep ms, least count, then fields and values
local stage = redis.call('HGET', KEYS[1], 'stage')
local known = redis.call('HGET', KEYS[1], 'fingerprint')
if known and known ~= ARGV[4] then return {'OTHER', ''} end
if stage and stage ~= 'QUEUED' and stage ~= 'HELD' then
  if stage == 'SENDING' and redis.call('HGET', KEYS[1], 'attempt') == ARGV[5] then return {'NEW', ''} end
  return {'SAME', ''}
end
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return {'NOT_LEADER', ''} end
if redis.call('HGET', KEYS[4], 'id') ~= ARGV[2] then return {'WIPED', ''} end
if tonumber(redis.call('HGET', KEYS[4], 'begun') or 0) < tonumber(ARGV[14]) then return {'WIPED', ''} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now >= tonumber(ARGV[3]) then return {'LATE', ''} end
local outcome, first = 'NEW', ''
local unknown = redis.call('HGETALL', KEYS[6])
for i = 1, #unknown, 2 do
  if unknown[i + 1] == ARGV[7] and unknown[i] ~= ARGV[6] then outcome, first = 'BLOCKED', unknown[i] end
end
local like = redis.call('GET', KEYS[7])
if outcome == 'NEW' and like and like ~= ARGV[6] and like ~= ARGV[9] then
  local was = redis.call('HMGET', ARGV[10] .. like, 'begun_ms', 'state', 'stage', 'may_resubmit')
  local recent = was[1] and now - tonumber(was[1]) < tonumber(ARGV[8])
  local open = was[2] == 'PENDING' or was[2] == 'UNKNOWN' or was[3] == 'SENDING'
  local real = was[3] and was[3] ~= 'UNSENT' and was[4] ~= '1'
  if real and (recent or open) then outcome, first = 'DUPLICATE', like end
end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[4], 'begun_ms', now, 'attempt', ARGV[5], unpack(ARGV, 15))
redis.call('PEXPIRE', KEYS[1], ARGV[13])
if outcome ~= 'NEW' then
  redis.call('HSET', KEYS[1], 'stage', 'HELD')
  redis.call('RPUSH', KEYS[2], ARGV[12])
  redis.call('PEXPIRE', KEYS[2], ARGV[13])
  return {outcome, first}
end
redis.call('HSET', KEYS[1], 'stage', 'SENDING', 'state', 'PENDING', 'holder', ARGV[1])
redis.call('PERSIST', KEYS[1])
redis.call('RPUSH', KEYS[2], ARGV[11])
redis.call('PERSIST', KEYS[2])
redis.call('SADD', KEYS[5], ARGV[6])
redis.call('SET', KEYS[7], ARGV[6], 'PX', ARGV[13])
return {'NEW', tostring(redis.call('HINCRBY', KEYS[4], 'begun', 1))}
"""

_NOTE: Final = """
-- KEYS order, history, open, unknown, lease, then the sets of its names
-- ARGV key, stage, state, is it over, view, account and contract, keep ms, event or '', may it be resubmitted, worker
-- Another worker that leads knows better.
local leader = redis.call('GET', KEYS[5])
if leader and string.sub(leader, 1, #ARGV[10] + 1) ~= ARGV[10] .. ':' then return 'NOT_LEADER' end
local stage = redis.call('HGET', KEYS[1], 'stage')
if stage == 'RESOLVED' and ARGV[3] == 'UNKNOWN' then return 'RESOLVED' end
redis.call('HSET', KEYS[1], 'stage', ARGV[2], 'state', ARGV[3], 'view', ARGV[5], 'may_resubmit', ARGV[9])
if ARGV[8] ~= '' then redis.call('RPUSH', KEYS[2], ARGV[8]) end
if ARGV[3] == 'UNKNOWN' then redis.call('HSET', KEYS[4], ARGV[1], ARGV[6]) else redis.call('HDEL', KEYS[4], ARGV[1]) end
for i = 6, #KEYS do
  redis.call('SADD', KEYS[i], ARGV[1])
  redis.call('PEXPIRE', KEYS[i], ARGV[7])
end
if ARGV[4] == '1' then
  redis.call('SREM', KEYS[3], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
else
  redis.call('SADD', KEYS[3], ARGV[1])
end
return 'NOTED'
"""

_PROVE_UNSENT: Final = """
-- KEYS order, history, open, unknown, lease  ARGV key, event, keep ms, worker, attempt
-- Says nothing of what another attempt, or another worker, may have sent.
local leader = redis.call('GET', KEYS[5])
if leader and string.sub(leader, 1, #ARGV[4] + 1) ~= ARGV[4] .. ':' then return 0 end
local stage = redis.call('HGET', KEYS[1], 'stage')
if stage == 'KNOWN' or stage == 'RESOLVED' then return 0 end
if stage == 'SENDING' and (redis.call('HGET', KEYS[1], 'attempt') or '') ~= ARGV[5] then return 0 end
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
if not stage then return 0 end
redis.call('HSET', KEYS[1], 'stage', 'UNSENT', 'state', 'EXPIRED')
redis.call('HDEL', KEYS[1], 'view')
redis.call('RPUSH', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
"""

_DROP: Final = """
-- KEYS order, open  ARGV key, keep ms
redis.call('SREM', KEYS[2], ARGV[1])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

_RESTORE: Final = """
-- KEYS order, history, open, like  ARGV key, event, keep ms, then fields and values. Redis forgot it; the file did not.
local stage = redis.call('HGET', KEYS[1], 'stage')
local begun = redis.call('HEXISTS', KEYS[1], 'fingerprint') == 1
if stage and stage ~= 'QUEUED' and stage ~= 'HELD' and (stage ~= 'UNSENT' or begun) then
  -- What the gateway said since may have come first: then only the order itself is missing.
  if not begun then
    redis.call('HSET', KEYS[1], unpack(ARGV, 4))
    redis.call('SET', KEYS[4], ARGV[1], 'PX', ARGV[3])
  end
  return 0
end
redis.call('HSET', KEYS[1], 'stage', 'SENDING', 'state', 'PENDING', unpack(ARGV, 4))
redis.call('PERSIST', KEYS[1])
redis.call('SADD', KEYS[3], ARGV[1])
redis.call('SET', KEYS[4], ARGV[1], 'PX', ARGV[3])
redis.call('RPUSH', KEYS[2], ARGV[2])
return 1
"""

_RESOLVE: Final = """
-- KEYS order, history, open, unknown  ARGV key, state, event, keep ms, view, may it be resubmitted
-- Only what is unknown can be resolved.
if redis.call('HDEL', KEYS[4], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'stage', 'RESOLVED', 'state', ARGV[2], 'view', ARGV[5], 'may_resubmit', ARGV[6])
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('RPUSH', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
"""

_IDENTIFY: Final = """
-- KEYS sentinel, epoch  ARGV new id, lowest count, lowest epoch. The id of this Redis, made where it has none.
redis.call('HSETNX', KEYS[1], 'id', ARGV[1])
if tonumber(redis.call('HGET', KEYS[1], 'begun') or 0) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'begun', ARGV[2])
end
if tonumber(redis.call('GET', KEYS[2]) or 0) < tonumber(ARGV[3]) then redis.call('SET', KEYS[2], ARGV[3]) end
return redis.call('HMGET', KEYS[1], 'id', 'begun')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """Everything BEGIN decides by."""

    key: str
    holder: str
    sentinel: str
    deadline_ms: int
    fingerprint: str
    attempt: str
    """Of this job by this holder of the lease: nobody else's."""
    least_count: int
    """How many orders this Redis is known to have begun: fewer, and it has lost some."""
    place: str
    """Account and contract, which one order of unknown fate blocks."""
    duplicate_window_ms: int
    may_repeat: str
    entry: dict[str, str]
    """What the record shall say: caller, client_order_id, the order itself, and so on."""


class Journal(OrderRecords):
    """The records of one gateway session's orders, as the worker writes them."""

    def __init__(self, store: Store, keys: Keys, holder: Callable[[], str] | None = None) -> None:
        super().__init__(store, keys)
        self._holder = holder or str
        self._begin = store.script(_BEGIN)
        self._note = store.script(_NOTE)
        self._restore = store.script(_RESTORE)
        self._prove = store.script(_PROVE_UNSENT)
        self._drop = store.script(_DROP)
        self._resolve = store.script(_RESOLVE)
        self._identify = store.script(_IDENTIFY)
        self._names: dict[str, str] = {}

    async def begin(self, beginning: Beginning) -> tuple[Begun, str]:
        """Ask and note in one step whether the order is new, in time, unlike any other and ours to send.

        With the outcome comes the key of the order that stands in the way, or, for NEW, the count of orders begun. An
        ``attempt`` that asks again, because the first answer was lost, gets the first answer again.
        """
        keys, key = self._keys, beginning.key
        outcome, word = await self._begin(
            keys=[
                keys.order(key), keys.order_history(key), keys.lease, keys.sentinel, keys.orders_open,
                keys.orders_unknown, keys.order_like(beginning.fingerprint),
            ],
            args=[
                beginning.holder, beginning.sentinel, beginning.deadline_ms, beginning.fingerprint, beginning.attempt,
                key, beginning.place, beginning.duplicate_window_ms, beginning.may_repeat, keys.order(""),
                event("begun", f"under {beginning.holder}"), event("held back"), KEEP_MS,
                beginning.least_count, *_pairs(beginning.entry),
            ],
        )  # fmt: skip
        return Begun(bytes(outcome).decode()), bytes(word).decode()

    async def note(
        self,
        key: str,
        *,
        stage: Stage,
        state: OrderState,
        view: str,
        may_resubmit: bool,
        place: str,
        names: list[str],
        what: str | None,
        detail: str | None,
    ) -> bool:
        """Write what is known of an order now; False where a person has resolved it and this says nothing new."""
        keys = self._keys
        outcome: bytes = await self._note(
            keys=[
                keys.order(key), keys.order_history(key), keys.orders_open, keys.orders_unknown,
                keys.lease, *(keys.order_named(name) for name in names),
            ],
            args=[
                key, stage.value, state.value, int(state.final), view, place, KEEP_MS,
                event(what, detail) if what else "", int(may_resubmit), self._worker(),
            ],
        )  # fmt: skip
        return outcome == b"NOTED"

    async def prove_unsent(self, key: str, why: str, attempt: str) -> None:
        """An order was certainly never sent by this attempt, and no other has begun it."""
        keys = self._keys
        await self._prove(
            keys=[keys.order(key), keys.order_history(key), keys.orders_open, keys.orders_unknown, keys.lease],
            args=[key, event("never sent", why), KEEP_MS, self._worker(), attempt],
        )

    def _worker(self) -> str:
        """This process's name in the lease; empty while another leads."""
        return self._holder().rpartition(":")[0]

    async def drop(self, key: str) -> None:
        """Somebody else's order is no longer among the open ones; its record stays while it is kept."""
        await self._drop(keys=[self._keys.order(key), self._keys.orders_open], args=[key, KEEP_MS])

    async def unknown_orders(self) -> list[StoredOrder]:
        """Every order whose fate is unknown."""
        stored = [await self.get(key) for key in sorted(await self._store.hash(self._keys.orders_unknown))]
        return [order for order in stored if order is not None]

    async def resolve(self, key: str, state: OrderState, why: str) -> bool:
        """A person says what became of an unknown order; False where it is not unknown."""
        keys = self._keys
        stored = await self.get(key)
        if stored is None or stored.view is None:
            return False
        view = json_text.loads(stored.view)
        view |= {"status": state.value, "state": state.value, "message": f"resolved by {why}", "next_step": _SETTLED}
        view["may_resubmit"] = state is not OrderState.FILLED and not view["filled"]
        resolved: int = await self._resolve(
            keys=[keys.order(key), keys.order_history(key), keys.orders_open, keys.orders_unknown],
            args=[
                key,
                state.value,
                event(f"resolved as {state.value}", why),
                KEEP_MS,
                json_text.dumps(view),
                int(view["may_resubmit"]),
            ],
        )
        return resolved == 1

    async def restore(self, key: str, entry: str, at: float) -> bool:
        """Enter an order again that this Redis has forgotten; whether it had. ``at`` is when it was begun."""
        fields: dict[str, str] = json.loads(entry) | {"begun_ms": str(int(at * 1000))}
        keys = self._keys
        restored: int = await self._restore(
            keys=[keys.order(key), keys.order_history(key), keys.orders_open, keys.order_like(fields["fingerprint"])],
            args=[
                key,
                event("restored", "Redis had lost the record; the worker's file had not"),
                KEEP_MS,
                *_pairs(fields),
            ],
        )
        return restored == 1

    async def identify(self, *, begun: int, epoch: int) -> tuple[str, int]:
        """This Redis's id and its count of orders begun; a Redis without an id gets one, and may count on."""
        found, count = await self._identify(
            keys=[self._keys.sentinel, self._keys.epoch], args=[secrets.token_hex(8), begun, epoch]
        )
        return bytes(found).decode(), int(count or 0)

    async def identity(self) -> tuple[str | None, int]:
        """This Redis's id, None where it has none, and its count of orders begun."""
        fields = await self._store.hash(self._keys.sentinel)
        return fields.get("id"), int(fields.get("begun", 0))

    async def open_orders(self) -> list[StoredOrder]:
        """Every order begun and not known to be over."""
        stored = [await self.get(key) for key in sorted(await self._store.members(self._keys.orders_open))]
        return [order for order in stored if order is not None]

    async def name(self, key: str) -> str | None:
        """The client_order_id behind one of our orderRefs; None where it is no longer known."""
        if key not in self._names:
            stored = await self.get(key)
            if stored is None or stored.client_order_id is None:
                return None
            self._names[key] = stored.client_order_id
            if len(self._names) > _NAMES_MOST:
                self._names.pop(next(iter(self._names)))
        return self._names[key]


def _pairs(fields: dict[str, str]) -> list[str]:
    return [part for pair in fields.items() for part in pair]
