"""Sending an order at most once, and waiting for what the gateway says of it.

The sequence is the protocol: message budget, then BEGIN in Redis (is the key new, is it in time, is the lease ours),
then the last look at lease and socket, then the order, with nothing awaited in between.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from broker_worker.contracts import Resolved
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.link import GatewayLink
from broker_worker.gateway.outages import Outages
from broker_worker.orders import answers, terms
from broker_worker.orders.book import OrderBook
from broker_worker.orders.journal import Begun, Entry, Journal, order_key
from broker_worker.orders.record import OrderRecord
from broker_worker.orders.terms import Intent
from shared import json_text
from shared.contract import Call
from shared.contract.orders import OrderResult, OrderState
from shared.errors import GatewayUnavailable, KeyReused, Unavailable
from shared.queue.lease import Lease
from shared.redis_store import RedisAway

log = logging.getLogger(__name__)

ACKNOWLEDGE_SECONDS = 8.0
"""How long an answer waits for the gateway's word; then the order is PENDING, not failed."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order, ready to be sent under its key."""

    key: str
    client_order_id: str
    intent: Intent
    resolved: Resolved
    account: str
    note: str | None


class Placer:
    """Sends orders, each key once, and remembers what became of it."""

    def __init__(
        self, link: GatewayLink, book: OrderBook, journal: Journal, lease: Lease, outages: Outages, client_id: int
    ) -> None:
        self._link = link
        self._book = book
        self._journal = journal
        self._lease = lease
        self._outages = outages
        self._client_id = client_id
        self._under_way: dict[str, tuple[str, asyncio.Task[OrderResult]]] = {}

    async def place(
        self, call: Call, client_order_id: str, intent: Intent, resolved: Resolved, account: str, note: str | None
    ) -> OrderResult:
        """The order's answer: sent now, or sent before under the same key.

        Raises ``KeyReused`` for another order under the key, ``Unavailable`` where it was certainly not sent.
        """
        order = Order(order_key(call.caller, client_order_id), client_order_id, intent, resolved, account, note)
        description = terms.describe(intent, resolved, account)
        mark = terms.fingerprint(description)
        under_way = self._under_way.get(order.key)
        if under_way is None:
            # Its own task: a caller that leaves stops waiting, and undoes nothing.
            task = asyncio.create_task(self._once(call, order, description, mark), name=f"order {order.key}")
            under_way = self._under_way[order.key] = (mark, task)
            task.add_done_callback(lambda _: self._under_way.pop(order.key, None))
        if under_way[0] != mark:
            raise _other_order(client_order_id)
        return await asyncio.shield(under_way[1])

    async def drain(self, seconds: float) -> None:
        """Wait for orders that are being sent or acknowledged."""
        tasks = [task for _, task in self._under_way.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def keep_journal(self) -> None:
        """Bring the records of ours up to date whenever the gateway says something, until cancelled."""
        while True:
            await self._book.any_change.wait()
            self._book.any_change.clear()
            changed = set(self._book.changed_refs)
            self._book.changed_refs -= changed
            for ref in changed:
                record = self._book.by_ref(ref)
                if record is not None:
                    await self._remember(ref, record)

    async def _once(self, call: Call, order: Order, description: str, mark: str) -> OrderResult:
        try:
            entry = await self._journal.find(order.key)
        except RedisAway as error:
            raise Unavailable("Redis went away before the order was sent; certainly nothing was sent") from error
        if entry is not None:
            return self._again(order, entry, mark)
        session = self._link.session
        if self._outages.restart_imminent(datetime.now(UTC)):
            raise GatewayUnavailable("the gateway restarts within a minute; no order is sent now", retry="after 5 min")
        await session.tell(Lane.ORDER, _nothing)
        begun = await self._begin(call, order, description, mark)
        if begun in {Begun.SAME, Begun.OTHER}:
            raced = await self._journal.find(order.key)
            return self._again(order, raced, mark) if raced is not None else self._unknown(order)
        if begun is Begun.LATE:
            return self._unsent(order, "its deadline passed before it could be sent")
        if begun is Begun.NOT_LEADER:
            raise Unavailable("this worker no longer leads; certainly nothing was sent")
        if not self._lease.safe() or not session.alive or call.seconds_left() <= 0:
            result = self._unsent(order, "the lease, the link or the deadline ended in the last moment")
            await self._journal.note(order.key, state="UNSENT", answer=json_text.dumps(result))
            return result
        # From here to the socket nothing is awaited.
        order_id = int(session.client.getReqId())
        record = terms.record_of(
            order.intent,
            order.resolved,
            account=order.account,
            ref=order.key,
            order_id=order_id,
            client_id=self._client_id,
        )
        self._book.expect(record)
        wire = terms.wire_order(order.intent, account=order.account, ref=order.key, order_id=order_id)
        session.client.placeOrder(order_id, order.resolved.contract, wire)
        log.info("order %s sent as %d: %s", order.key, order_id, description)
        return await self._acknowledged(order, record)

    async def _begin(self, call: Call, order: Order, description: str, mark: str) -> Begun:
        try:
            return await self._journal.begin(
                order.key,
                holder=self._lease.holder,
                deadline_ms=int(call.deadline.timestamp() * 1000),
                fingerprint=mark,
                client_order_id=order.client_order_id,
                caller=call.caller,
                order=description,
                attempt=call.request_id,
            )
        except RedisAway as error:
            # BEGIN may have been written or not; this process did not send, so nothing was sent.
            raise Unavailable(
                "Redis went away before the order was sent; certainly nothing was sent",
                action="repeat the call with a new client_order_id once get_status is ready",
            ) from error

    async def _acknowledged(self, order: Order, record: OrderRecord) -> OrderResult:
        """Wait until the gateway acknowledges, refuses or fills it, or until patience ends."""
        give_up = time.monotonic() + ACKNOWLEDGE_SECONDS
        while record.state is OrderState.PENDING and self._link.alive:
            changed = record.changed
            try:
                async with asyncio.timeout(max(give_up - time.monotonic(), 0)):
                    await changed.wait()
            except TimeoutError:
                break
        if record.state is OrderState.PENDING and not self._link.alive:
            record.lost = True
        await self._remember(order.key, record)
        return answers.order_result(record, order.client_order_id, order.note)

    def _again(self, order: Order, entry: Entry, mark: str) -> OrderResult:
        """The answer for a key that was used before."""
        if entry.fingerprint != mark:
            raise _other_order(order.client_order_id)
        record = self._book.by_ref(order.key)
        if record is not None:
            return _with_journal(answers.order_result(record, order.client_order_id, order.note), entry)
        stored = _stored(entry)
        return stored if stored is not None and stored.state.final else self._unknown(order)

    def _unknown(self, order: Order) -> OrderResult:
        """It was begun, and neither the gateway nor the journal says how it went."""
        record = self._blank(order)
        record.lost = True
        return answers.order_result(record, order.client_order_id, order.note)

    def _unsent(self, order: Order, why: str) -> OrderResult:
        """It was certainly not sent."""
        result = answers.order_result(self._blank(order), order.client_order_id, order.note)
        return result.model_copy(
            update={
                "status": OrderState.EXPIRED.value,
                "state": OrderState.EXPIRED,
                "message": f"{why}; the gateway never saw it",
                "may_resubmit": True,
                "next_step": answers.NEXT_STEP[OrderState.EXPIRED],
            }
        )

    def _blank(self, order: Order) -> OrderRecord:
        record = terms.record_of(
            order.intent, order.resolved, account=order.account, ref=order.key, order_id=0, client_id=self._client_id
        )
        record.order_id = None
        return record

    async def _remember(self, key: str, record: OrderRecord) -> None:
        """The journal's copy of the newest answer; where Redis is away the book still has it."""
        try:
            result = answers.order_result(record, await self._journal.name(key))
            if record.order_id is None and (entry := await self._journal.find(key)) is not None:
                result = _with_journal(result, entry)
            await self._journal.note(key, state=result.state.value, answer=json_text.dumps(result))
        except RedisAway as error:
            log.warning("order %s: its record could not be brought up to date: %s", key, error)
            self._book.changed_refs.add(key)


def _nothing() -> None:
    """A place in the budget is taken; the message itself follows once Redis has agreed."""


def _other_order(client_order_id: str) -> KeyReused:
    return KeyReused(f"client_order_id {client_order_id} already names a different order")


def _stored(entry: Entry) -> OrderResult | None:
    return OrderResult.model_validate_json(entry.answer) if entry.answer is not None else None


def _with_journal(current: OrderResult, entry: Entry) -> OrderResult:
    """What is known now, with what was known before: of an order that is over the gateway forgets number and reason."""
    stored = _stored(entry)
    if stored is None:
        return current
    if current.state.final and (current.state, current.filled) == (stored.state, stored.filled):
        return stored
    return current.model_copy(update={"order_id": current.order_id or stored.order_id})
