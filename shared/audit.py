"""The audit: one entry for every decision about an order, appended to a stream and never changed.

An entry says who asked for what, what was decided, and by which part of the system. Every call of a tool that trades
ends in exactly one entry under its request id, written by whoever decided: the frontend where it refused the call or
took it back, the worker where it ran, the reconciliation where the worker that began it is gone. Who comes second under
a request id writes nothing. What is decided about an order later, by the gateway's word or by a person, is an entry of
its own.

The worker's entry is written with its answer, in one step (``shared.queue.scripts``): nobody is told of a decision that
is not in the audit.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared import clock, json_text
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store

log = logging.getLogger(__name__)

REMEMBER_MS: Final = 24 * 3600 * 1000
"""How long a request id is known to have its entry; a worker that was stopped may come back that late."""

_LONGEST_TEXT: Final = 4000
_MOST_WAITING: Final = 1000
_AGAIN_SECONDS: Final = 1.0
_NOTE_SECONDS: Final = 1.0
"""Longest that an answer waits for its entry."""

LUA: Final = """
-- Appends the entry that stands in ARGV from first to last: where it is said that the request has one, request id or
-- '', key, remember ms, then fields and values. Whether it is the first of its request.
local function append(stream, due, first, last)
  local said, request, key = ARGV[first], ARGV[first + 1], ARGV[first + 2]
  if request ~= '' then
    local attempt = redis.call('HGET', due, key)
    if attempt and string.sub(attempt, 1, #request + 1) == request .. ' ' then redis.call('HDEL', due, key) end
    if not redis.call('SET', said, '1', 'NX', 'PX', ARGV[first + 3]) then return 0 end
  end
  redis.call('XADD', stream, '*', unpack(ARGV, first + 4, last))
  return 1
end
"""
"""Appending an entry, for a script that does more."""

_APPEND: Final = (
    LUA
    + """
-- KEYS stream, due  ARGV an entry
return append(KEYS[1], KEYS[2], 1, #ARGV)
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision."""

    by: str
    """``frontend``, ``worker``, ``reconciliation`` or ``operator``."""
    caller: str
    """Who asked: the caller's name, or the person's."""
    operation: str
    request_id: str
    """Of the call that this decides; empty for what is decided later."""
    arguments: Mapping[str, Any]
    outcome: str
    """The order's state, or the code of the error."""
    detail: str
    key: str = ""
    """The order's key, where one order is meant."""


class Audit:
    """Writes and reads the stream."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys
        self._append = store.script(_APPEND)
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, Decision]] = []
        self._more = asyncio.Event()

    async def write(self, decision: Decision) -> bool:
        """Append an entry; whether it is the first under its request id. Raises ``RedisAway``."""
        keys = self._keys
        written: int = await self._append(keys=[keys.audit, keys.audit_due], args=entry(keys, decision))
        return written == 1

    async def note(self, decision: Decision) -> None:
        """Append an entry now; where Redis is away or slow, or whoever waits for this leaves, a little later."""
        try:
            async with asyncio.timeout(_NOTE_SECONDS):
                await self.write(decision)
        except (RedisAway, TimeoutError):
            self.later(decision, 0.0)
        except asyncio.CancelledError:
            self.later(decision, 0.0)
            raise

    def later(self, decision: Decision, seconds: float) -> None:
        """Append an entry in so many seconds, unless somebody else has said by then what became of the request."""
        if len(self._waiting) >= _MOST_WAITING:
            return into_the_log(decision)
        heapq.heappush(self._waiting, (asyncio.get_running_loop().time() + seconds, next(self._numbers), decision))
        return self._more.set()

    async def keep(self) -> None:
        """Append what waits when its time has come, until cancelled."""
        while True:
            self._more.clear()
            wait = self._waiting[0][0] - asyncio.get_running_loop().time() if self._waiting else None
            if wait is not None and wait <= 0:
                await self._append_first()
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._more.wait()
            except TimeoutError:
                continue

    async def close(self) -> None:
        """Append what is overdue; what cannot be written goes to the log, in full."""
        waiting, self._waiting = self._waiting, []
        for at, _, decision in waiting:
            if at > asyncio.get_running_loop().time():
                continue  # another process has the job, and the word
            try:
                await self.write(decision)
            except RedisAway:
                into_the_log(decision)

    async def due(self) -> dict[str, str]:
        """The keys of the orders that were begun and have no entry yet, with the attempt that began each."""
        return await self._store.hash(self._keys.audit_due)

    async def read(self, *, since: datetime | None, most: int) -> list[dict[str, str]]:
        """The newest entries, oldest first."""
        first = str(int(since.timestamp() * 1000)) if since is not None else "-"
        rows = await self._store.read_back(self._keys.audit, first, "+", most)
        return [fields for _, fields in reversed(rows)]

    async def _append_first(self) -> None:
        decision = self._waiting[0][2]
        try:
            await self.write(decision)
        except RedisAway:
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            self._waiting = [one for one in self._waiting if one[2] is not decision]
            heapq.heapify(self._waiting)


def entry(keys: Keys, decision: Decision) -> tuple[str | int, ...]:
    """A decision as ``LUA`` appends it."""
    fields = _fields(decision)
    return (
        keys.audit_said(fields["request_id"]),
        fields["request_id"],
        fields["key"],
        REMEMBER_MS,
        *(part for pair in fields.items() for part in pair),
    )


def into_the_log(decision: Decision) -> None:
    """Where no Redis takes a decision, the log does, in full."""
    log.error("audit entry not written, so here it is: %s", decision)


def _fields(decision: Decision) -> dict[str, str]:
    fields = {
        "at": json_text.time_text(clock.now()),
        "by": decision.by,
        "caller": decision.caller,
        "operation": decision.operation,
        "request_id": decision.request_id,
        "arguments": _arguments_text(decision.arguments),
        "outcome": decision.outcome,
        "detail": decision.detail[:_LONGEST_TEXT],
        "key": decision.key,
    }
    return {name: text.encode("utf-8", "replace").decode() for name, text in fields.items()}


def _arguments_text(arguments: Mapping[str, Any]) -> str:
    """Arguments as the client sent them, as JSON, whatever they are; floats by their digits, the longest cut."""
    try:
        text = json.dumps({name: repr(v) if isinstance(v, float) else v for name, v in arguments.items()}, default=str)
    except (ValueError, RecursionError) as error:
        text = json.dumps({"unreadable": str(error)[:200]})
    return text if len(text) <= _LONGEST_TEXT else json.dumps({"cut": text[: _LONGEST_TEXT // 2]})
