"""The worker's side of the orders' records: begin an order at most once, note what became of it, find what is open."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from broker_worker.orders import scripts
from broker_worker.orders.sent_file import Sent
from shared import json_text
from shared.contract.orders import OrderState
from shared.order_records import KEEP_MS, OrderRecords, Stage, StoredOrder, event
from shared.redis_keys import Keys
from shared.redis_store import Store

log = logging.getLogger(__name__)

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
    CLOSED = "CLOSED"
    """This very attempt was given up before."""


class Noted(StrEnum):
    """What came of noting what is known of an order."""

    NOTED = "NOTED"
    FOUND = "FOUND"
    """Noted, and until now its fate was unknown."""
    RESOLVED = "RESOLVED"
    NOT_LEADER = "NOT_LEADER"


class Identity(NamedTuple):
    """By what a Redis is known, and by which of its counts it shows that it has lost its last writes."""

    id: str | None
    """None where it was wiped."""
    begun: int
    """How many orders were begun in it."""
    notes: int
    """How many notes of orders it has taken."""


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
        self._begin = store.script(scripts.BEGIN)
        self._note = store.script(scripts.NOTE)
        self._restore = store.script(scripts.RESTORE)
        self._prove = store.script(scripts.PROVE_UNSENT)
        self._drop = store.script(scripts.DROP)
        self._adrift = store.script(scripts.ADRIFT)
        self._resolve = store.script(scripts.RESOLVE)
        self._identify = store.script(scripts.IDENTIFY)
        self._names: dict[str, str] = {}
        self.notes = 0
        """How many notes Redis had taken when it last said so."""
        self.lost_notes = False
        """Whether it counted fewer after that: it has lost some."""

    async def begin(self, beginning: Beginning) -> tuple[Begun, str]:
        """Ask and note in one step whether the order is new, in time, unlike any other and ours to send.

        With the outcome comes the key of the order that stands in the way, or, for NEW, the count of orders begun. An
        ``attempt`` that asks again, because the first answer was lost, gets the first answer again.
        """
        keys, key = self._keys, beginning.key
        outcome, word = await self._begin(
            keys=[
                keys.order(key), keys.order_history(key), keys.lease, keys.sentinel, keys.orders_open,
                keys.orders_unknown, keys.order_like(beginning.fingerprint), keys.audit_due,
                keys.orders_at(beginning.place),
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
        number: int,
    ) -> Noted:
        """Write what is known of an order now; whether it was written.

        ``number`` grows with each view that this worker makes: of two notes the newer view stands, whichever comes
        last.

        It is not where a person has resolved the order and this says nothing new, nor where another worker leads: what
        that one reads at the gateway, when it reconciles, is the truth.
        """
        keys, known = self._keys, self.notes
        outcome, notes = await self._note(
            keys=[
                keys.order(key), keys.order_history(key), keys.orders_open, keys.orders_unknown,
                keys.lease, keys.orders_at(place), keys.sentinel, *(keys.order_named(name) for name in names),
            ],
            args=[
                key, stage.value, state.value, int(state.final), view, place, KEEP_MS,
                event(what, detail) if what else "", int(may_resubmit), self._worker(), number,
            ],
        )  # fmt: skip
        if 0 < notes <= known:
            self.lost_notes, self.notes = True, notes
        self.notes = max(self.notes, notes)
        if outcome == b"NOT_LEADER":
            log.warning("order %s: another worker leads, so this is not noted: %s %s", key, state, what or "")
        return Noted(bytes(outcome).decode())

    async def prove_unsent(self, key: str, why: str, attempt: str, stage: Stage) -> None:
        """An order was certainly never sent by this attempt, and no other has begun it.

        ``stage`` is UNSENT where that is the end of it, HELD where the same call may be made again.
        """
        keys = self._keys
        outcome: bytes = await self._prove(
            keys=[keys.order(key), keys.order_history(key), keys.orders_open, keys.orders_unknown, keys.lease],
            args=[key, event("never sent", why), KEEP_MS, self._worker(), attempt, stage.value, why],
        )
        if outcome == b"NOT_LEADER":
            log.warning("order %s: another worker leads, so this is not noted: never sent, %s", key, why)

    def by_this_worker(self, attempt: str) -> bool:
        """Whether an attempt was made by this process, which may still be at it."""
        return attempt.rpartition(" ")[2].rpartition(":")[0] == self._worker()

    def _worker(self) -> str:
        """This process's name in the lease; empty while another leads."""
        return self._holder().rpartition(":")[0]

    async def drop(self, key: str) -> None:
        """Somebody else's order is no longer among the open ones; its record stays while it is kept."""
        keys = self._keys
        await self._drop(keys=[keys.order(key), keys.order_history(key), keys.orders_open], args=[key, KEEP_MS])

    async def adrift(self) -> frozenset[str]:
        """The orders begun of which nothing more is known: on their way now, or looked after by nobody."""
        found: list[bytes] = await self._adrift(keys=[self._keys.orders_open], args=[self._keys.order("")])
        return frozenset(key.decode() for key in found)

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

    async def restore(self, sent: Sent) -> bool:
        """Enter an order again that this Redis has forgotten; whether it had."""
        fields: dict[str, str] = json.loads(sent.entry)
        keys, end = self._keys, sent.end
        names = [keys.order_named(name) for name in (end.names if end else ())]
        view = json_text.loads(end.view) | {"as_of": json_text.time_text(sent.ended)} if end else None
        restored: int = await self._restore(
            keys=[
                keys.order(sent.key), keys.order_history(sent.key), keys.orders_open,
                keys.order_like(fields["fingerprint"]), keys.orders_at(fields["place"]), *names,
            ],
            args=[
                sent.key, event("restored", "Redis had lost the record; the worker's file had not"), KEEP_MS,
                int(sent.at * 1000), end.state if end else "", json_text.dumps(view) if view else "",
                int(end is not None and end.may_resubmit), int((sent.over_at or 0) * 1000), *_pairs(fields),
            ],
        )  # fmt: skip
        return restored == 1

    async def identify(self, *, begun: int, epoch: int) -> tuple[str, int]:
        """This Redis's id and its count of orders begun; a Redis without an id gets one, and may count on."""
        found, count = await self._identify(
            keys=[self._keys.sentinel, self._keys.epoch], args=[secrets.token_hex(8), begun, epoch]
        )
        return bytes(found).decode(), int(count or 0)

    async def identity(self) -> Identity:
        """What this Redis says of itself."""
        fields = await self._store.hash(self._keys.sentinel)
        return Identity(fields.get("id"), int(fields.get("begun", 0)), int(fields.get("notes", 0)))

    async def open_orders(self) -> list[StoredOrder]:
        """Every order begun and not known to be over."""
        stored = [await self.get(key) for key in sorted(await self._store.members(self._keys.orders_open))]
        return [order for order in stored if order is not None]

    async def at(self, place: str) -> list[StoredOrder]:
        """Every order known in an account and contract, over or not."""
        keys = await self._store.members_since(self._keys.orders_at(place), 0)
        rows = await self._store.hashes([self._keys.order(key) for key in keys])
        return [StoredOrder(key, fields) for key, fields in zip(keys, rows, strict=True) if fields]

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
