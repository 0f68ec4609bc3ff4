"""Sending an order at most once, and waiting for what the gateway says of it.

The sequence is the protocol: a message's place in the budget, the local file (may be sent), BEGIN in Redis (is the key
new, in time, unlike any other, and the lease ours), the last look at lease, link and deadline, then the order, with
nothing awaited in between. Orders pass it one at a time, so that their ids reach the gateway in sequence.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from broker_worker import fail_points
from broker_worker.contracts import Resolved
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.link import GatewayLink
from broker_worker.gateway.outages import Outages
from broker_worker.orders import answers, terms
from broker_worker.orders.book import OrderBook
from broker_worker.orders.journal import Beginning, Begun, Journal
from broker_worker.orders.reconciling import Reconciler
from broker_worker.orders.record import OrderRecord
from broker_worker.orders.recording import Recorder
from broker_worker.orders.remembered import remembered, same_order
from broker_worker.orders.sent_file import Sent, SentFile
from broker_worker.orders.terms import Intent
from broker_worker.positions import PositionBook
from shared import clock
from shared.contract import Call
from shared.contract.arguments import ContractQuery
from shared.contract.orders import OrderResult, OrderState
from shared.errors import GatewayUnavailable, KeyReused, Unavailable
from shared.order_records import Stage, StoredOrder, order_key
from shared.queue.lease import Lease
from shared.redis_store import RedisAway

if TYPE_CHECKING:
    from broker_worker.gateway.session import Session

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
    may_repeat: str
    """Key of the order that this one may equal, where the agent named one."""

    @property
    def place(self) -> str:
        """Account and contract, which an order of unknown fate blocks."""
        return f"{self.account}|{self.resolved.contract.conId}"


class Placer:
    """Sends orders, each key once."""

    def __init__(
        self,
        link: GatewayLink,
        book: OrderBook,
        positions: PositionBook,
        journal: Journal,
        sent_file: SentFile,
        recorder: Recorder,
        reconciler: Reconciler,
        lease: Lease,
        outages: Outages,
        *,
        client_id: int,
        duplicate_window: float,
    ) -> None:
        self._link = link
        self._book = book
        self._positions = positions
        self._journal = journal
        self._sent_file = sent_file
        self._recorder = recorder
        self._reconciler = reconciler
        self._lease = lease
        self._outages = outages
        self._client_id = client_id
        self._window_ms = int(duplicate_window * 1000)
        self._sending = asyncio.Lock()
        self._under_way: dict[str, tuple[str, asyncio.Task[OrderResult]]] = {}

    async def place(self, call: Call, order: Order) -> OrderResult:
        """The order's answer: sent now, or sent before under the same key.

        Raises ``KeyReused`` for another order under the key, ``Unavailable`` where it was certainly not sent.
        """
        description = terms.describe(order.intent, order.resolved, order.account)
        mark = terms.fingerprint(description)
        under_way = self._under_way.get(order.key)
        if under_way is None:
            # Its own task: a caller that leaves stops waiting, and undoes nothing.
            task = asyncio.create_task(self._once(call, order, description, mark), name=f"order {order.key}")
            under_way = self._under_way[order.key] = (mark, task)
            task.add_done_callback(lambda _: self._under_way.pop(order.key, None))
        if under_way[0] != mark:
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

    async def _once(self, call: Call, order: Order, description: str, mark: str) -> OrderResult:
        fail_points.reach("claimed")
        try:
            known = await self._known(order.key)
        except Unavailable:
            if (record := self._book.by_ref(order.key)) is None:
                raise
            return answers.order_result(record, order.client_order_id, order.note)
        if known is not None and known.stage not in {Stage.QUEUED, Stage.HELD}:
            return await self._again(order, known, mark)
        session = self._link.session
        if self._outages.restart_imminent(clock.now()):
            raise GatewayUnavailable("the gateway restarts within a minute; no order is sent now", retry="after 5 min")
        await session.tell(Lane.ORDER, _nothing)
        async with self._sending:
            sent = await self._send(call, order, description, mark)
        if isinstance(sent, OrderResult):
            return sent
        fail_points.reach("sent")
        log.info("order %s sent as %s: %s", order.key, sent.order_id, description)
        result = await self._acknowledged(order, sent)
        fail_points.reach("acknowledged")
        return result

    async def _known(self, key: str) -> StoredOrder | None:
        try:
            return await self._journal.get(key)
        except RedisAway as error:
            raise _certainly_not_sent() from error

    async def _send(self, call: Call, order: Order, description: str, mark: str) -> OrderRecord | OrderResult:
        """The record of the order now sent, or the answer where it was not sent."""
        session, rounds = self._link.session, self._reconciler.rounds
        order_id = int(session.client.getReqId())
        record = self._record(order, order_id)
        wire = terms.wire_order(order.intent, account=order.account, ref=order.key, order_id=order_id)
        beginning = self._beginning(call, order, description, mark)
        row = Sent(order.key, self._lease.epoch, order_id, clock.now().timestamp(), json.dumps(beginning.entry))
        asked = new = False
        try:
            new = await self._sent_file.add(row)
            if new:
                fail_points.reach("in-file")
                asked = True
                begun, word = await self._journal.begin(beginning)
            else:
                begun, word = Begun.SAME, ""
            if begun is Begun.WIPED:
                await self._sent_file.remove(row)  # else the reconciliation takes it for an order that was sent
                await self._reconciler.after_a_wipe(session)
                rounds = self._reconciler.rounds
                await self._sent_file.add(row)
                begun, word = await self._journal.begin(self._renewed(beginning))
            if begun is Begun.NEW and word:
                self._reconciler.begun = int(word)
                await self._sent_file.know_redis(self._reconciler.sentinel, int(word))
        except BaseException as error:
            # BEGIN may have been carried out. Nothing was sent, and that is said where it will be looked for.
            self._sent_file.remove(row)
            if asked:
                self._recorder.unsent_later(order.key, "it was stopped before it could be sent", beginning.attempt)
            if isinstance(error, RedisAway):
                raise _certainly_not_sent() from error
            raise
        if not new:
            return await self._sent_before(order, mark)
        if begun is not Begun.NEW:
            await self._sent_file.remove(row)
            return await self._not_begun(order, mark, begun, word, beginning.attempt)
        fail_points.reach("begun")
        if not self._lease.safe() or not self._serves(session, rounds) or call.seconds_left() <= 0:
            return await self._stopped_short(order, row, beginning.attempt)
        # From here to the socket nothing is awaited.
        self._book.expect(record)
        session.client.placeOrder(order_id, order.resolved.contract, wire)
        return record

    def _serves(self, session: Session, rounds: int) -> bool:
        """Whether the link still serves by this session, and nothing was reconciled meanwhile."""
        try:
            return self._link.session is session and self._reconciler.rounds == rounds
        except GatewayUnavailable:
            return False

    def _entry(self, call: Call, order: Order, description: str, mark: str) -> dict[str, str]:
        """What the record says of an order from its beginning on."""
        quantity = self._positions.quantity(order.account, order.resolved.contract.conId)
        return {
            "fingerprint": mark,
            "caller": call.caller,
            "client_order_id": order.client_order_id,
            "order": description,
            "place": order.place,
            "symbol": order.resolved.contract.symbol,
            "position_before": str(quantity),
            "deadline_ms": str(int(call.deadline.timestamp() * 1000)),
            "file": self._sent_file.id,
        }

    def _beginning(self, call: Call, order: Order, description: str, mark: str) -> Beginning:
        """What BEGIN is to decide by."""
        entry = self._entry(call, order, description, mark)
        return Beginning(
            key=order.key,
            holder=self._lease.holder,
            sentinel=self._reconciler.sentinel,
            deadline_ms=int(entry["deadline_ms"]),
            fingerprint=mark,
            attempt=f"{call.request_id} {self._lease.holder}",
            least_count=self._reconciler.begun,
            place=order.place,
            duplicate_window_ms=self._window_ms,
            may_repeat=order.may_repeat,
            entry=entry,
        )

    def _renewed(self, beginning: Beginning) -> Beginning:
        return replace(beginning, sentinel=self._reconciler.sentinel, least_count=self._reconciler.begun)

    async def _sent_before(self, order: Order, mark: str) -> OrderResult:
        """The file knows the key and Redis does not: Redis has lost it. It is never sent again."""
        row = await self._sent_file.get(order.key)
        if row is not None:
            if json.loads(row.entry).get("fingerprint", mark) != mark:
                raise _other_order(order.client_order_id)
            await self._journal.restore(order.key, row.entry, row.at)
        record = self._book.by_ref(order.key)
        if record is None:
            record = self._record(order, None)
            record.lost = True
            self._book.expect(record)
        await self._recorder.record(record, "adopted" if not record.lost else "lost sight of")
        return answers.order_result(record, order.client_order_id, order.note)

    async def _not_begun(self, order: Order, mark: str, begun: Begun, word: str, attempt: str) -> OrderResult:
        """The answer where BEGIN said no."""
        if begun in {Begun.SAME, Begun.OTHER}:
            known = await self._known(order.key)
            if known is not None:
                return await self._again(order, known, mark)
        if begun in {Begun.DUPLICATE, Begun.BLOCKED}:
            return answers.held_back(self._blank_result(order), begun, await self._handle_of(word))
        if begun is Begun.LATE:
            await self._recorder.unsent(order.key, "its deadline passed before it could be begun", attempt)
            return answers.never_sent(self._blank_result(order), "its deadline passed before it could be sent")
        raise Unavailable(f"this worker could not begin the order ({begun}); certainly nothing was sent")

    async def _stopped_short(self, order: Order, row: Sent, attempt: str) -> OrderResult:
        """Begun, and then the lease, the link or the deadline ended before the socket."""
        why = "the lease, the link or the deadline ended in the last moment"
        self._sent_file.remove(row)
        await self._recorder.unsent(order.key, why, attempt)
        return answers.never_sent(self._blank_result(order), why)

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

    async def _again(self, order: Order, known: StoredOrder, mark: str) -> OrderResult:
        """The answer for a key that was used before."""
        if known.fields.get("fingerprint", mark) != mark:
            raise _other_order(order.client_order_id)
        record = self._book.by_ref(order.key)
        if known.stage is Stage.UNSENT and record is None:
            return answers.never_sent(self._blank_result(order), "it was taken back or came too late")
        if record is not None and not (record.lost and known.stage is Stage.RESOLVED):
            try:
                await self._recorder.complete(record)
            except RedisAway:
                log.info("order %s: answered from the gateway's word alone", order.key)
            return answers.order_result(record, order.client_order_id, order.note)
        if known.view is not None:
            return answers.result_from_view(known.view)
        record = self._record(order, None)
        record.lost = True
        return answers.order_result(record, order.client_order_id, order.note)

    async def _handle_of(self, key: str) -> str:
        """How an agent can name an order: its permanent id where it has one."""
        stored = await self._known(key)
        record = self._book.by_ref(key)
        if record is not None and record.perm_id is not None:
            return f"perm:{record.perm_id}"
        return (stored.client_order_id if stored else None) or key

    def _record(self, order: Order, order_id: int | None) -> OrderRecord:
        return terms.record_of(
            order.intent,
            order.resolved,
            account=order.account,
            ref=order.key,
            order_id=order_id,
            client_id=self._client_id,
        )

    def _blank_result(self, order: Order) -> OrderResult:
        """The order's terms, with nothing known of its fate."""
        return answers.order_result(self._record(order, None), order.client_order_id, order.note)


def _nothing() -> None:
    """A place in the budget is taken; the message itself follows once Redis has agreed."""


def _certainly_not_sent() -> Unavailable:
    return Unavailable(
        "Redis went away before the order was sent; certainly nothing was sent",
        action="wait until get_status is ready",
        retry="with the same client_order_id, after 5 s",
    )


def _other_order(client_order_id: str) -> KeyReused:
    return KeyReused(f"client_order_id {client_order_id} already names a different order")
