"""Placing an order: what is known under its name, whether it may go now, and what the gateway says of it.

An order that is new passes the last steps (``sending``); one that is known is answered from what is known of it.
"""

from __future__ import annotations

import asyncio
import json
import logging

from broker_worker import fail_points
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.link import GatewayLink
from broker_worker.gateway.outages import Outages
from broker_worker.orders import answers
from broker_worker.orders.book import OrderBook
from broker_worker.orders.journal import Begun, Journal
from broker_worker.orders.record import OrderRecord
from broker_worker.orders.recording import Recorder
from broker_worker.orders.remembered import names_it, remembered, same_order
from broker_worker.orders.sending import STOPPED_SHORT, NotSent, Order, Sender, certainly_not_sent
from broker_worker.orders.sent_file import SentFile
from broker_worker.orders.terms import Intent
from shared import clock
from shared.contract import Call
from shared.contract.arguments import ContractQuery
from shared.contract.orders import OrderResult, OrderState
from shared.errors import GatewayUnavailable, KeyReused, Unavailable
from shared.order_records import Stage, StoredOrder, order_key
from shared.redis_store import RedisAway

log = logging.getLogger(__name__)

ACKNOWLEDGE_SECONDS = 8.0
"""How long an answer waits for the gateway's word; then the order is PENDING, not failed."""


class Placer:
    """Places orders, each key once."""

    def __init__(
        self,
        link: GatewayLink,
        book: OrderBook,
        journal: Journal,
        sent_file: SentFile,
        recorder: Recorder,
        sender: Sender,
        outages: Outages,
    ) -> None:
        self._link = link
        self._book = book
        self._journal = journal
        self._sent_file = sent_file
        self._recorder = recorder
        self._sender = sender
        self._outages = outages
        self._under_way: dict[str, tuple[str, asyncio.Task[OrderResult]]] = {}

    async def place(self, call: Call, order: Order) -> OrderResult:
        """The order's answer: sent now, or sent before under the same key.

        Raises ``KeyReused`` for another order under the key, ``Unavailable`` where it was certainly not sent.
        """
        under_way = self._under_way.get(order.key)
        if under_way is None:
            # Its own task: a caller that leaves stops waiting, and undoes nothing.
            task = asyncio.create_task(self._once(call, order), name=f"order {order.key}")
            under_way = self._under_way[order.key] = (order.fingerprint, task)
            task.add_done_callback(lambda _: self._under_way.pop(order.key, None))
        if under_way[0] != order.fingerprint:
            raise _other_order(order.client_order_id)
        return await asyncio.shield(under_way[1])

    async def remembered(
        self, call: Call, client_order_id: str, contract: ContractQuery, intent: Intent
    ) -> OrderResult | None:
        """What the record says of an order begun before, where the gateway cannot be asked; None where none was."""
        known = await self._known(order_key(call.caller, client_order_id))
        answer = remembered(known) if known is not None else None
        if known is not None and answer is not None and not same_order(known, contract, intent):
            raise _other_order(client_order_id)
        return answer

    async def drain(self, seconds: float) -> None:
        """Wait for orders that are being sent or acknowledged."""
        tasks = [task for _, task in self._under_way.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _once(self, call: Call, order: Order) -> OrderResult:
        fail_points.reach("claimed")
        try:
            known = await self._known(order.key)
        except Unavailable:
            if (record := self._book.by_ref(order.key)) is None:
                raise
            return answers.order_result(record, order.client_order_id, order.note)
        if known is not None and known.stage not in {Stage.QUEUED, Stage.HELD}:
            return await self._again(order, known)
        session = self._link.session
        if self._outages.restart_imminent(clock.now()):
            raise GatewayUnavailable("the gateway restarts within a minute; no order is sent now", retry="after 5 min")
        await session.tell(Lane.ORDER, _nothing)
        sent = await self._sender.send(call, order)
        if isinstance(sent, NotSent):
            return await self._not_sent(call, order, sent)
        fail_points.reach("sent")
        log.info("order %s sent as %s: %s", order.key, sent.order_id, order.description)
        result = await self._acknowledged(order, sent)
        fail_points.reach("acknowledged")
        return result

    async def _known(self, key: str) -> StoredOrder | None:
        try:
            return await self._journal.get(key)
        except RedisAway as error:
            raise certainly_not_sent(error) or error from error

    async def _not_sent(self, call: Call, order: Order, stopped: NotSent) -> OrderResult:
        """The answer where the last steps said no."""
        blank = answers.order_result(order.record(), order.client_order_id, order.note)
        match stopped.begun:
            case None:
                return await self._sent_before(order)
            case Begun.NEW:
                return answers.never_sent(blank, STOPPED_SHORT)
            case Begun.LATE:
                return answers.never_sent(blank, "its deadline passed before it could be sent")
            case Begun.DUPLICATE | Begun.BLOCKED:
                return answers.held(blank, stopped.begun, await self._handle_of(call, stopped.first))
            case Begun.SAME | Begun.OTHER:
                known = await self._known(order.key)
                if known is not None:
                    return await self._again(order, known)
            case _:
                pass
        raise Unavailable(f"this worker could not begin the order ({stopped.begun}); certainly nothing was sent")

    async def _sent_before(self, order: Order) -> OrderResult:
        """The file knows the key and Redis does not: Redis has lost it. It is never sent again."""
        row = await self._sent_file.get(order.key)
        if row is not None:
            if json.loads(row.entry).get("fingerprint", order.fingerprint) != order.fingerprint:
                raise _other_order(order.client_order_id)
            await self._journal.restore(row)
        record = self._book.by_ref(order.key)
        if record is None and row is not None and row.end is not None:
            return answers.result_from_view(row.end.view)
        if record is None:
            record = order.record()
            record.lost = True
            self._book.expect(record)
        await self._recorder.record(record, "adopted" if not record.lost else "lost sight of")
        return answers.order_result(record, order.client_order_id, order.note)

    async def _acknowledged(self, order: Order, record: OrderRecord) -> OrderResult:
        """Wait until the gateway acknowledges, refuses or fills it, or until patience ends."""
        give_up = clock.monotonic() + ACKNOWLEDGE_SECONDS
        while record.state is OrderState.PENDING and self._link.alive:
            changed = record.changed
            try:
                async with asyncio.timeout(max(give_up - clock.monotonic(), 0)):
                    await changed.wait()
            except TimeoutError:
                break
        if record.state is OrderState.PENDING and not self._link.alive:
            record.lost = True
        await self._recorder.record(record, None)
        if record.state is OrderState.PENDING:
            # Not a word of it: its place in the gateway's lists, or its absence there, tells what became of it.
            self._link.synchronise_again(f"order {order.key} is not acknowledged")
        return answers.order_result(record, order.client_order_id, order.note)

    async def _again(self, order: Order, known: StoredOrder) -> OrderResult:
        """The answer for a key that was used before."""
        if not names_it(known, order):
            raise _other_order(order.client_order_id)
        record = self._book.by_ref(order.key)
        if known.stage is Stage.UNSENT and record is None:
            blank = answers.order_result(order.record(), order.client_order_id, order.note)
            return answers.never_sent(blank, known.fields.get("why") or "it was taken back or came too late")
        if record is not None and not (record.lost and known.stage is Stage.RESOLVED):
            try:
                await self._recorder.complete(record)
            except RedisAway:
                log.info("order %s: answered from the gateway's word alone", order.key)
            return answers.order_result(record, order.client_order_id, order.note)
        if known.view is not None:
            return answers.result_from_view(known.view)
        record = order.record()
        record.lost = True
        return answers.order_result(record, order.client_order_id, order.note)

    async def _handle_of(self, call: Call, key: str) -> str:
        """How this agent can name an order: its permanent id where it has one, else its own name for it, or the key."""
        record = self._book.by_ref(key)
        if record is not None and record.perm_id is not None:
            return f"perm:{record.perm_id}"
        stored = await self._known(key)
        own = stored.client_order_id if stored is not None and stored.caller == call.caller else None
        return own or key


def _nothing() -> None:
    """A place in the budget is taken; the message itself follows once Redis has agreed."""


def _other_order(client_order_id: str) -> KeyReused:
    return KeyReused(f"client_order_id {client_order_id} already names a different order")
