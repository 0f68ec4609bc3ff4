"""Keeping the orders' records in Redis up to date with what the gateway says, and the local file with what is over."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime

from broker_worker.orders import answers
from broker_worker.orders.book import OrderBook
from broker_worker.orders.journal import Journal, Noted
from broker_worker.orders.record import OrderRecord
from broker_worker.orders.sent_file import End, SentFile
from shared import json_text
from shared.audit import Audit, Decision
from shared.contract.orders import OrderState
from shared.order_records import REF_PREFIX, Stage
from shared.redis_store import RedisAway

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5
_NO_MOMENT = datetime.fromtimestamp(0, UTC)
"""In what the file says of an order, so that the same end is the same text."""


class Recorder:
    """Writes records; what cannot be written now is written when Redis is back."""

    def __init__(self, book: OrderBook, journal: Journal, sent_file: SentFile, audit: Audit) -> None:
        self._book = book
        self._journal = journal
        self._sent_file = sent_file
        self._audit = audit
        self._shown: dict[str, str] = {}
        self._unsent: dict[str, tuple[str, str, Stage]] = {}
        self._writing = asyncio.Lock()
        self._numbers = itertools.count(1)

    async def keep(self) -> None:
        """Bring records up to date whenever the gateway says something, until cancelled."""
        while True:
            await self._book.any_change.wait()
            await self._book.whole.wait()
            await self.catch_up()
            if self._book.changed or self._unsent:
                await asyncio.sleep(_RETRY_SECONDS)

    async def catch_up(self) -> None:
        """Write what the gateway said and the records do not say yet; what Redis does not take is left for later."""
        async with self._writing:
            self._book.any_change.clear()
            changed, self._book.changed = self._book.changed, {}
            for record in changed.values():
                await self.record(record, None)
            await self._note_ends(changed.values())
            for key, (attempt, why, stage) in list(self._unsent.items()):
                await self.unsent(key, why, attempt, stage)

    async def record(self, record: OrderRecord, what: str | None, detail: str | None = None) -> bool:
        """Write what is known of an order now; False where a person has resolved it.

        ``what`` happened, for its history; with a ``detail`` it is none of the gateway's words, which follow by
        themselves.
        """
        key = record.key
        if key is None:
            return True
        before = self._shown.get(key, "")
        try:
            await self.complete(record)
            name = await self._journal.name(key)
            said = what or self._news(key, record)
            if detail is None:
                self._shown[key] = _gist(record)
            view, number = json_text.dumps(answers.detail(record, name)), next(self._numbers)
            noted = await self._journal.note(
                key,
                stage=Stage.SENDING if record.state in {OrderState.PENDING, OrderState.UNKNOWN} else Stage.KNOWN,
                state=record.state,
                view=view,
                may_resubmit=answers.may_resubmit(record),
                place=record.place,
                names=answers.names(record),
                what=said,
                detail=detail or record.refusal,
                number=number,
            )
        except RedisAway as error:
            log.warning("order %s: its record waits until Redis is back: %s", key, error)
            self._book.mark_changed(record)
            self._shown[key] = before
            return True
        if noted is Noted.FOUND:
            await self._tell(key, record)
        return noted in {Noted.NOTED, Noted.FOUND}

    async def _tell(self, key: str, record: OrderRecord) -> None:
        """An order whose fate was unknown is known now: that is a decision, and stands in the audit."""
        try:
            stored = await self._journal.get(key)
        except RedisAway:
            stored = None
        await self._audit.note(
            Decision(
                by="reconciliation",
                caller=(stored.caller if stored else None) or "",
                operation=stored.fields.get("operation", "") if stored else "",
                request_id="",
                arguments={},
                outcome=record.state.value,
                detail="found at the gateway; until now its fate was unknown",
                key=key,
            )
        )

    async def complete(self, record: OrderRecord) -> None:
        """Add what the record knows and the gateway no longer says: of an order that is over, number and reason."""
        key = record.key
        if key is None or key in self._shown or record.order_id is not None:
            return
        stored = await self._journal.get(key)
        if stored is None or stored.view is None:
            return
        view = json_text.loads(stored.view)
        record.order_id = view["order_id"]
        if view["state"] == record.state:
            record.refusal = view["message"] or record.refusal
            record.average = record.average or view["avg_fill_price"]
            record.status = view["status"] if record.state.final else record.status
        self._shown[key] = _gist(record)

    async def _note_ends(self, records: Iterable[OrderRecord]) -> None:
        """Let the file know which of ours are over."""
        try:
            await self._sent_file.note_ends(
                {record.ref: await self._end(record) for record in records if record.ref.startswith(REF_PREFIX)}
            )
        except (RedisAway, sqlite3.Error) as error:
            log.warning("which orders are over is not noted in the file until they are heard of again: %s", error)

    async def _end(self, record: OrderRecord) -> End | None:
        if not record.state.final:
            return None
        told = answers.detail(record, await self._journal.name(record.ref))
        return End(
            state=record.state.value,
            may_resubmit=told.may_resubmit,
            view=json_text.dumps(told.model_copy(update={"as_of": _NO_MOMENT})),
            names=tuple(answers.names(record)),
        )

    async def unsent(self, key: str, why: str, attempt: str, stage: Stage) -> None:
        """Note that an order was certainly never sent: UNSENT for good, or HELD until it is asked for again."""
        try:
            await self._journal.prove_unsent(key, why, attempt, stage)
        except RedisAway as error:
            log.warning("order %s: that it was never sent waits until Redis is back: %s", key, error)
            self.unsent_later(key, why, attempt, stage)
        else:
            self._unsent.pop(key, None)

    async def drop_resolved(self) -> None:
        """Forget what the gateway shows no trace of and a person has settled; its record tells the rest."""
        for record in [record for record in self._book if record.lost]:
            key = record.key
            stored = await self._journal.get(key) if key is not None else None
            if stored is not None and stored.stage is Stage.RESOLVED:
                self._book.drop(record)

    def unsent_later(self, key: str, why: str, attempt: str, stage: Stage) -> None:
        """The same, when Redis is back."""
        self._unsent[key] = (attempt, why, stage)
        self._book.any_change.set()

    def _news(self, key: str, record: OrderRecord) -> str | None:
        """What is worth a line in the order's history; None where nothing of weight changed."""
        gist = _gist(record)
        return gist if self._shown.get(key) != gist else None

    def write_again(self) -> None:
        """Redis has lost what it was told last: bring every order's record up to date."""
        for record in self._book:
            self._book.mark_changed(record)

    def forget(self) -> None:
        """Drop what is remembered of orders the book no longer has."""
        known = {key for record in self._book if (key := record.key) is not None}
        self._shown = {key: gist for key, gist in self._shown.items() if key in known}


def _gist(record: OrderRecord) -> str:
    filled = f", {json_text.decimal_text(record.filled)} filled" if record.filled else ""
    return f"{answers.shown_status(record)}{filled}"
