"""The last steps before the socket, which an order passes at most once.

The sequence is the protocol: the local file (it may be sent), BEGIN in Redis (is the key new, in time, unlike any
other, and the lease ours), the last look at lease, link and deadline, then the order, with nothing awaited in between.
Orders pass it one at a time, so that their ids reach the gateway in sequence.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from broker_worker import fail_points
from broker_worker.contracts import Resolved
from broker_worker.gateway.link import GatewayLink
from broker_worker.orders import terms
from broker_worker.orders.book import OrderBook
from broker_worker.orders.journal import Beginning, Begun, Journal
from broker_worker.orders.reconciling import WIPED, Reconciler
from broker_worker.orders.record import OrderRecord
from broker_worker.orders.recording import Recorder
from broker_worker.orders.sent_file import Sent, SentFile
from broker_worker.orders.terms import Intent
from broker_worker.positions import PositionBook
from shared import clock
from shared.contract import Call
from shared.errors import GatewayUnavailable, Unavailable
from shared.order_records import Stage
from shared.queue.lease import Lease
from shared.redis_store import RedisAway

if TYPE_CHECKING:
    from broker_worker.gateway.session import Session

STOPPED_SHORT = "the lease, the link or the deadline ended in the last moment"
_STOPPED = "it was stopped before it could be sent"
_LATE = "its deadline passed before it could be begun"


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
    description: str
    """The order as JSON, every field that makes it this order and no other."""
    client_id: int
    """Of the API client that sends it."""

    @property
    def fingerprint(self) -> str:
        """Equal for the same order, whatever key it comes under."""
        return terms.fingerprint(self.description)

    @property
    def place(self) -> str:
        """Account and contract, which an order of unknown fate blocks."""
        return f"{self.account}|{self.resolved.contract.conId}"

    def record(self, order_id: int | None = None) -> OrderRecord:
        """What is known of it before the gateway has said a word."""
        return terms.record_of(
            self.intent,
            self.resolved,
            account=self.account,
            ref=self.key,
            order_id=order_id,
            client_id=self.client_id,
        )


@dataclass(frozen=True, slots=True)
class NotSent:
    """An order that did not go to the socket, and why."""

    begun: Begun | None
    """What BEGIN said; NEW where the order was stopped after it, None where the local file knew the key before."""
    first: str = ""
    """Key of the order that stands in its way."""


class Sender:
    """Takes orders through the last steps."""

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
        *,
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
        self._window_ms = int(duplicate_window * 1000)
        self._one_at_a_time = asyncio.Lock()

    async def send(self, call: Call, order: Order) -> OrderRecord | NotSent:
        """The record of the order now sent, or why it was not. Raises ``Unavailable`` where it certainly was not."""
        async with self._one_at_a_time:
            self._reconciler.on_their_way.add(order.key)
            try:
                return await self._send(call, order)
            finally:
                self._reconciler.on_their_way.discard(order.key)

    async def _send(self, call: Call, order: Order) -> OrderRecord | NotSent:
        session, rounds = self._link.session, self._reconciler.rounds
        # A restarted gateway may give numbers out again; one that a live order has would change that order.
        session.client.updateReqId(max(self._book.highest_number, self._sent_file.highest_number) + 1)
        order_id = int(session.client.getReqId())
        record = order.record(order_id)
        wire = terms.wire_order(order.intent, account=order.account, ref=order.key, order_id=order_id)
        beginning = self._beginning(call, order)
        row = Sent(order.key, self._lease.epoch, order_id, clock.now().timestamp(), json.dumps(beginning.entry))
        asked = False
        try:
            if not await self._sent_file.add(row):
                return NotSent(None)
            fail_points.reach("in-file")
            asked = True
            begun, word = await self._journal.begin(beginning)
            if begun is Begun.WIPED:
                await self._sent_file.remove(row)  # else the reconciliation takes it for an order that was sent
                await self._reconciler.anew(session, WIPED)
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
                self._recorder.unsent_later(order.key, _STOPPED, beginning.attempt, Stage.HELD)
            if (told := certainly_not_sent(error)) is None:
                raise
            raise told from error
        if begun is not Begun.NEW:
            await self._sent_file.remove(row)
            if begun is Begun.LATE:
                await self._recorder.unsent(order.key, _LATE, beginning.attempt, Stage.UNSENT)
            return NotSent(begun, word)
        fail_points.reach("begun")
        if not self._lease.safe() or not self._serves(session, rounds) or call.seconds_left() <= 0:
            self._sent_file.remove(row)
            await self._recorder.unsent(order.key, STOPPED_SHORT, beginning.attempt, Stage.UNSENT)
            return NotSent(Begun.NEW)
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

    def _beginning(self, call: Call, order: Order) -> Beginning:
        """What BEGIN is to decide by, and what the record says of the order from then on."""
        quantity = self._positions.quantity(order.account, order.resolved.contract.conId)
        deadline_ms = int(call.deadline.timestamp() * 1000)
        return Beginning(
            key=order.key,
            holder=self._lease.holder,
            sentinel=self._reconciler.sentinel,
            deadline_ms=deadline_ms,
            fingerprint=order.fingerprint,
            attempt=f"{call.request_id} {self._lease.holder}",
            least_count=self._reconciler.begun,
            place=order.place,
            duplicate_window_ms=self._window_ms,
            may_repeat=order.may_repeat,
            entry={
                "fingerprint": order.fingerprint,
                "caller": call.caller,
                "client_order_id": order.client_order_id,
                "order": order.description,
                "place": order.place,
                "symbol": order.resolved.contract.symbol,
                "contract": terms.identity(order.resolved.contract),
                # Where a holding could not be read, what is not there proves nothing.
                **({} if self._positions.missing else {"position_before": str(quantity)}),
                "deadline_ms": str(deadline_ms),
                "file": self._sent_file.id,
            },
        )

    def _renewed(self, beginning: Beginning) -> Beginning:
        return replace(beginning, sentinel=self._reconciler.sentinel, least_count=self._reconciler.begun)


def certainly_not_sent(error: BaseException) -> Unavailable | None:
    """What to tell of an order that one of our stores stopped before the socket; None where it was something else."""
    if isinstance(error, RedisAway):
        return Unavailable(
            "Redis went away before the order was sent; certainly nothing was sent",
            action="wait until get_status is ready",
            retry="with the same client_order_id, after 5 s",
        )
    if isinstance(error, sqlite3.Error):
        return Unavailable(
            f"the worker's local file cannot be written ({error}); certainly nothing was sent",
            action="tell the operator: no order is sent until it can be",
            retry="with the same client_order_id, after 1 min",
        )
    return None
