"""After every connection, before the first new order: what became of each order that was begun.

The same again, while the link stands, where Redis is no longer the one that was reconciled, or holds an order that was
begun and that nobody looks after: a command of an earlier holder of the lease, or one given up here, may be carried out
late.

The gateway's word comes first: an order it shows is adopted. An order it does not show, and that the local file never
held, was never sent. After midnight the gateway no longer shows yesterday's orders: then the positions are the
evidence. What remains is UNKNOWN: never sent again, shown until the truth appears or a person resolves it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from broker_worker.orders.book import OrderBook
from broker_worker.orders.journal import Journal
from broker_worker.orders.position_evidence import PositionEvidence, Verdict
from broker_worker.orders.recording import Recorder
from broker_worker.orders.sent_file import KEEP_SECONDS, End, Sent, SentFile
from broker_worker.positions import PositionBook
from shared import clock, json_text
from shared.audit import Audit, Decision
from shared.contract.orders import OrderState
from shared.errors import BridgeError
from shared.order_records import REF_PREFIX, Stage, StoredOrder
from shared.redis_store import RedisAway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from broker_worker.gateway.session import Session

log = logging.getLogger(__name__)

KEEP_MARGIN_MS = 24 * 3600 * 1000
WIPED = "Redis was wiped or replaced"
LOOK_SECONDS = 2.0
"""Between looks at whether this still is the Redis that was reconciled."""


class Reconciler:
    """Compares the records with the gateway and settles what can be settled."""

    def __init__(
        self,
        book: OrderBook,
        positions: PositionBook,
        journal: Journal,
        sent_file: SentFile,
        recorder: Recorder,
        audit: Audit,
    ) -> None:
        self._book = book
        self._positions = positions
        self._journal = journal
        self._sent_file = sent_file
        self._recorder = recorder
        self._audit = audit
        self._evidence = PositionEvidence(book, positions, journal)
        self.sentinel = ""
        """Identity of the Redis that was last reconciled; orders are begun in no other."""
        self.begun = 0
        """How many orders that Redis had begun when last heard."""
        self.rounds = 0
        """Counts reconciliations: an order on its way while one began must not go out, it may have been judged."""
        self.on_their_way: set[str] = set()
        """The keys of orders that are passing the last steps now."""
        self._one_at_a_time = asyncio.Lock()
        self._anew = asyncio.Lock()

    async def keep(self, session: Callable[[], Session]) -> None:
        """Look again and again, until cancelled. ``session`` is the one that serves, or raises ``BridgeError``."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                serving = session()
                if (why := await self._amiss()) is not None:
                    await self.anew(serving, why)
            except (BridgeError, ConnectionError, RedisAway) as error:
                log.debug("not looked at the orders now: %s", error)

    async def _amiss(self) -> str | None:
        """Why the orders must be reconciled anew; None where all is well."""
        known_id, known_begun, known_notes = self.sentinel, self.begun, self._journal.notes
        found = await self._journal.identity()
        if found.id != known_id or found.begun < known_begun:
            return WIPED
        self._tell_again(found.notes, known_notes)
        if self._evidence.look_again is not None and clock.now() >= self._evidence.look_again:
            self._evidence.look_again = None
            return "what was still on its way has arrived by now, or never will"
        adrift = self._unattended(await self._journal.adrift())
        if adrift and (still := adrift & self._unattended(await self._journal.adrift())):
            return f"nobody looks after {', '.join(sorted(still))}"
        return None

    def _tell_again(self, notes: int, known: int) -> None:
        """Where Redis counts fewer notes than it did, as a replica that took over may, have every record written."""
        if notes >= known and not self._journal.lost_notes:
            return
        log.warning("Redis has lost what it was told last of the orders; it is told again")
        self._journal.notes, self._journal.lost_notes = notes, False
        self._recorder.write_again()

    def _unattended(self, keys: Iterable[str]) -> set[str]:
        """Those of these orders of ours that are neither on their way nor in the book."""
        return {
            key
            for key in keys
            if key.startswith(REF_PREFIX) and key not in self.on_their_way and self._book.by_ref(key) is None
        }

    async def synchronise(self, session: Session) -> None:
        """The last step after a connection. Raises ``ConnectionError`` where Redis is away: nothing is served then."""
        del session
        try:
            await self._reconcile()
        except RedisAway as error:
            raise ConnectionError(f"Redis is away, orders cannot be reconciled: {error}") from error

    async def anew(self, session: Session, why: str) -> None:
        """Read the gateway anew and reconcile, while the link stands; orders on their way do not go out meanwhile."""
        rounds = self.rounds
        async with self._anew:
            if self.rounds != rounds:
                return  # done while this waited for its turn
            log.warning("reconciling the orders before the next one: %s", why)
            await self._book.synchronise(session)
            await self._positions.synchronise(session)
            await self._reconcile()

    async def _reconcile(self) -> None:
        self.rounds += 1
        async with self._one_at_a_time:
            await self._compare()
            self.rounds += 1

    async def _compare(self) -> None:
        rows = {row.key: row for row in await self._sent_file.all()}
        known_id, known_begun = await self._sent_file.known_redis()
        known_notes = self._journal.notes
        found = await self._journal.identity()
        self._tell_again(found.notes, known_notes)
        if found.id != known_id or found.begun < max(known_begun, self.begun):
            await self._restore(rows.values())
        else:
            await self._clear(rows)
        absent: list[StoredOrder] = []
        for stored in await self._journal.open_orders():
            record = self._book.by_ref(stored.key)
            if record is None and not stored.key.startswith(REF_PREFIX):
                await self._journal.drop(stored.key)  # somebody else's; the gateway's list is the truth about it
            elif record is not None and not record.lost:
                await self._settle(stored, Verdict("adopted", record))
            elif stored.stage is Stage.SENDING and stored.key not in rows and self._file_remembers(stored):
                await self._settle(stored, Verdict("never sent", None))
            else:
                absent.append(stored)
        for stored, verdict in await self._evidence.judge(absent):
            await self._settle(stored, verdict)
        await self._complete_audit()
        epoch = await self._sent_file.newest_epoch()
        self.sentinel, self.begun = await self._journal.identify(begun=max(known_begun, self.begun), epoch=epoch)
        await self._sent_file.know_redis(self.sentinel, self.begun)
        self._recorder.forget()

    async def _restore(self, rows: Iterable[Sent]) -> None:
        """This Redis may have lost orders: what it does not know to be begun is entered again, over or not."""
        for row in rows:
            if row.key in self.on_their_way or await self._sent_file.get(row.key) is None:
                continue  # stopped on its way by this very reconciliation; whoever sends it says so
            if await self._journal.restore(row):
                end = row.end
                log.warning("order %s: restored from the local file%s", row.key, f" as {end.state}" if end else "")

    async def _clear(self, rows: dict[str, Sent]) -> None:
        """Redis has lost nothing: what it knows to be waiting was never begun, and what it knows to be over is over."""
        ends: dict[str, End] = {}
        for row in rows.values():
            if row.over is not None:
                continue
            stored = await self._journal.get(row.key)
            if stored is None:
                if row.at < clock.now().timestamp() - KEEP_SECONDS and self._book.by_ref(row.key) is None:
                    await self._sent_file.remove(row)  # over for so long that its record has expired
            elif stored.stage in {Stage.QUEUED, Stage.HELD, Stage.UNSENT}:
                log.info("order %s: never begun; it may still be sent", row.key)
                await self._sent_file.remove(row)
            elif (end := _end_of(stored)) is not None:
                ends[row.key] = end
        await self._sent_file.note_ends(ends)

    def _file_remembers(self, stored: StoredOrder) -> bool:
        """Whether the order, had it been sent, would be in this file: begun under it, and not too long ago."""
        recent = stored.number("begun_ms") > (clock.now().timestamp() - KEEP_SECONDS) * 1000 + KEEP_MARGIN_MS
        return recent and stored.fields.get("file") == self._sent_file.id

    async def _settle(self, stored: StoredOrder, verdict: Verdict) -> None:
        """Say what became of an order that was not known to be over."""
        before = stored.fields.get("state")
        if verdict.record is None:
            why = "neither the local file nor the gateway knows it"
            await self._recorder.unsent(stored.key, why, stored.fields.get("attempt", ""), Stage.UNSENT)
        else:
            self._book.expect(verdict.record)
            await self._recorder.record(verdict.record, verdict.event if _news(before, verdict) else None)
        if _news(before, verdict) and (before != OrderState.UNKNOWN or verdict.record is None):
            await self._note(stored, verdict)  # of one that was unknown and is found, the recorder tells

    async def _note(self, stored: StoredOrder, verdict: Verdict) -> None:
        state = verdict.record.state.value if verdict.record is not None else "EXPIRED"
        log.warning("order %s: %s (%s)", stored.key, verdict.event, state)
        attempt = stored.fields.get("attempt", "")
        instead = "" if self._journal.by_this_worker(attempt) else attempt.partition(" ")[0]
        decision = _decision(stored, state, verdict.event, instead)
        if not await self._audit.write(decision):
            await self._audit.write(replace(decision, request_id=""))

    async def _complete_audit(self) -> None:
        """Write the entry of each call whose worker began its order and ended before it could write one."""
        for key, attempt in (await self._audit.due()).items():
            if self._journal.by_this_worker(attempt):
                continue
            stored = await self._journal.get(key) or StoredOrder(key, {})
            state = stored.fields.get("state", "UNKNOWN")
            detail = "the worker that began it ended without a word; this is where it stands"
            await self._audit.write(_decision(stored, state, detail, attempt.partition(" ")[0]))


def _decision(stored: StoredOrder, state: str, detail: str, request_id: str) -> Decision:
    return Decision(
        by="reconciliation",
        caller=stored.caller or "",
        operation=stored.fields.get("operation", ""),
        request_id=request_id,
        arguments=json.loads(stored.fields.get("arguments", "{}")),
        outcome=state,
        detail=detail,
        key=stored.key,
    )


def _end_of(stored: StoredOrder) -> End | None:
    """How an order ended by its record, as where a person settled it; None where it is not over."""
    if stored.view is None:
        return None
    view = json_text.loads(stored.view)
    if not OrderState(view["state"]).final:
        return None
    names = [f"{name}:{view[field]}" for name, field in (("perm", "perm_id"), ("id", "order_id")) if view[field]]
    return End(state=view["state"], may_resubmit=view["may_resubmit"], view=stored.view, names=tuple(names))


def _news(before: str | None, verdict: Verdict) -> bool:
    """Whether the verdict says more than the record already did."""
    return verdict.record is None or verdict.record.state.value != before
