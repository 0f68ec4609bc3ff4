"""Cancelling and modifying orders that are at the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from broker_worker.contracts import ContractBook
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.link import GatewayLink
from broker_worker.gateway.outages import Outages
from broker_worker.orders import answers, terms
from broker_worker.orders.book import OrderBook
from broker_worker.orders.finding import OrderFinder
from broker_worker.orders.record import Objection, OrderRecord
from broker_worker.orders.recording import Recorder
from shared import clock, json_text
from shared.contract import Call
from shared.contract.arguments import ContractQuery, OrderTerms
from shared.contract.orders import CancelResult, ModifyResult, OrderState
from shared.errors import GatewayUnavailable, InvalidArgument, Unavailable, UnreadableAnswer
from shared.queue.lease import Lease

CONFIRM_SECONDS = 8.0
"""How long an answer waits for the gateway to confirm a cancellation or a modification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a modification is to change; None stays as it is."""

    quantity: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None


class Changer:
    """Cancels and modifies. Both say what shall be, so that doing either twice is doing it once."""

    def __init__(
        self,
        link: GatewayLink,
        contracts: ContractBook,
        book: OrderBook,
        finder: OrderFinder,
        recorder: Recorder,
        lease: Lease,
        outages: Outages,
        *,
        client_id: int,
    ) -> None:
        self._link = link
        self._contracts = contracts
        self._book = book
        self._finder = finder
        self._recorder = recorder
        self._lease = lease
        self._outages = outages
        self._client_id = client_id

    async def cancel(self, call: Call, handle: str) -> CancelResult:
        """Cancel an order, and wait until it is over or patience ends."""
        session = self._link.session
        record = await self._found(call, handle, Lane.CANCEL)
        if record is None:
            return answers.no_such_order(handle)
        name = await self._finder.name(record)
        if record.state.final:
            return answers.cancel_result(record, name, "nothing was cancelled: the order was over")
        if (why := self._not_ours(record)) is not None:
            step = "Nothing was sent. Tell your user, who can cancel it there."
            result = answers.cancel_result(record, name, f"{why}; only there can it be cancelled", step)
            return result.model_copy(update={"status": "REJECTED"})
        number, before = record.order_id, record.objection

        def send() -> None:
            record.unanswered += 1
            session.client.cancelOrder(number)

        await session.tell(Lane.CANCEL, send)
        await self._recorder.record(record, "cancellation sent", f"by {call.caller}")
        await self._until(record, lambda: record.state.final or record.objection is not before)
        if record.state.final:
            return answers.cancel_result(record, name, None)
        if record.objection is not None and record.objection is not before:
            record.unanswered = max(record.unanswered - 1, 0)
            return answers.cancel_result(record, name, record.objection.text)
        waiting = "the cancellation was sent and is not confirmed yet"
        return answers.cancel_result(record, name, waiting, "Call get_order to see what became of it.")

    async def modify(self, call: Call, handle: str, change: Change) -> ModifyResult:
        """Change a working order, and wait until the gateway shows or refuses it, or patience ends."""
        _ = self._link.session
        record = await self._found(call, handle, Lane.ORDER)
        if record is None:
            raise InvalidArgument(f"there is no order {handle} today", action="call get_orders")
        async with record.one_change:
            return await self._modify(call, handle, change, record)

    async def _modify(self, call: Call, handle: str, change: Change, record: OrderRecord) -> ModifyResult:
        session = self._link.session
        # A modification is an order message with the same number: what the gateway does not have, it would place.
        if record.state.final or record.state is OrderState.UNKNOWN or record.perm_id is None:
            raise InvalidArgument(f"order {handle} cannot be modified: it is {record.state}", action="call get_order")
        if (why := self._not_ours(record)) is not None:
            raise InvalidArgument(f"order {handle} cannot be modified here: {why}", action="modify it there")
        wanted = _wanted(record, change)
        resolved = await self._contracts.resolve(ContractQuery(con_id=record.con_id))
        terms.check(wanted, resolved)
        if self._outages.restart_imminent(clock.now()):
            raise GatewayUnavailable("the gateway restarts within a minute; nothing is sent now", retry="after 5 min")
        wire = terms.wire_order(wanted, account=record.account, ref=record.ref, order_id=record.order_id or 0)
        told = f"{_in_words(record, change)}, by {call.caller}"
        before: list[Objection | None] = []

        def send() -> None:
            if not self._lease.safe() or call.seconds_left() <= 0:
                raise Unavailable("the lease or the deadline ended in the last moment; nothing was changed")
            before.append(record.objection)
            record.unanswered += 1
            session.client.placeOrder(record.order_id, resolved.contract, wire)

        await session.tell(Lane.ORDER, send)
        await self._recorder.record(record, "modification sent", told)
        await self._until(
            record, lambda: _shows(record, wanted) or record.state.final or record.objection is not before[0]
        )
        return self._changed(record, wanted, before[0], await self._finder.name(record))

    def _changed(
        self, record: OrderRecord, wanted: terms.Intent, before: Objection | None, name: str | None
    ) -> ModifyResult:
        """What is known now of a change that was sent."""
        said = record.objection if record.objection is not before else None
        if _shows(record, wanted) and (said is None or not said.refuses):
            record.unanswered = 0  # the gateway takes them in turn
            return answers.modify_result(record, name, changed=True)
        if record.state.final:
            return answers.modify_result(record, name, changed=None)
        if said is None:
            waiting = "the modification was sent and is not confirmed yet"
            return answers.modify_result(record, name, changed=None, message=waiting)
        # Which of several the gateway means, it does not say.
        alone = record.unanswered == 1 and not _shows(record, wanted)
        record.unanswered = max(record.unanswered - 1, 0)
        return answers.modify_result(record, name, changed=False if said.refuses and alone else None, message=said.text)

    async def _found(self, call: Call, handle: str, lane: Lane) -> OrderRecord | None:
        record = self._finder.find(call, handle)
        if record is None:
            await self._book.refresh(self._link.session, lane)
            record = self._finder.find(call, handle)
            if record is None and self._book.unread:
                raise UnreadableAnswer("an order that the gateway lists could not be read; it may be this one")
        return record

    def _not_ours(self, record: OrderRecord) -> str | None:
        """Why this client may not change the order; None if it may. Only the client that placed an order can."""
        if record.client_id != self._client_id:
            return f"it was placed by {f'API client {record.client_id}' if record.client_id else 'a person in TWS'}"
        if record.order_id is None or not self._book.has_number(record):
            return "its number at the gateway now belongs to another order"
        return None

    async def _until(self, record: OrderRecord, done: Callable[[], bool]) -> None:
        """Wait for the gateway's word, at most ``CONFIRM_SECONDS`` and while the link lives."""
        give_up = clock.monotonic() + CONFIRM_SECONDS
        while not done() and self._link.alive:
            changed = record.changed
            try:
                async with asyncio.timeout(max(give_up - clock.monotonic(), 0)):
                    await changed.wait()
            except TimeoutError:
                return


def _wanted(record: OrderRecord, change: Change) -> terms.Intent:
    """The order as it shall be. Raises ``InvalidArgument`` for a price its type does not have, or nothing to change."""
    if change.limit_price is not None and record.limit_price is None:
        raise InvalidArgument(f"a {record.order_type} order has no limit price", action="leave limit_price out")
    if change.stop_price is not None and record.stop_price is None:
        raise InvalidArgument(f"a {record.order_type} order has no stop price", action="leave stop_price out")
    if change.quantity is not None and change.quantity <= record.filled:
        raise InvalidArgument("quantity must be more than what has filled already", action="cancel the order instead")
    wanted = terms.Intent(
        order_type=record.order_type,
        action=record.action,
        quantity=change.quantity or record.quantity,
        limit_price=change.limit_price or record.limit_price,
        stop_price=change.stop_price or record.stop_price,
        terms=OrderTerms.model_construct(tif=cast("Any", record.tif), outside_rth=record.outside_rth),
    )
    if _shows(record, wanted):
        raise InvalidArgument("there is nothing to change: the order is like that already", action="give a new value")
    return wanted


def _in_words(record: OrderRecord, change: Change) -> str:
    """What is to change, for whoever reads the order's story."""
    pairs = {
        "quantity": (record.quantity, change.quantity),
        "limit price": (record.limit_price, change.limit_price),
        "stop price": (record.stop_price, change.stop_price),
    }
    return ", ".join(
        f"{what} {json_text.decimal_text(old)} to {json_text.decimal_text(new)}"
        for what, (old, new) in pairs.items()
        if old is not None and new is not None
    )


def _shows(record: OrderRecord, wanted: terms.Intent) -> bool:
    """Whether the gateway shows the order as it shall be."""
    return (record.quantity, record.limit_price, record.stop_price) == (
        wanted.quantity,
        wanted.limit_price,
        wanted.stop_price,
    )
