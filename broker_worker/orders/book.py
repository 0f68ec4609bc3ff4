"""All orders of today that the gateway has told of, and ours that are on their way.

ib_async's own order states are not used: informational errors mislead them. Every message is applied here in the
sequence it came; repeated and late ones change nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ib_async import ExecutionFilter

from broker_worker.gateway import errors
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.callbacks import OrderListener
from broker_worker.gateway.convert import exact, exact_or_zero, plain_text, positive, whole
from broker_worker.gateway.requests import Wanted
from broker_worker.orders.record import Fill, Objection, OrderRecord, execution_stem
from shared import clock
from shared.errors import NotPermitted, TimedOut, UnreadableAnswer
from shared.order_records import REF_PREFIX

if TYPE_CHECKING:
    from ib_async import CommissionReport, Contract, Execution, Order, OrderState

    from broker_worker.gateway.session import Session

log = logging.getLogger(__name__)

SYNC_SECONDS = 8.0
FORGET_AFTER = timedelta(days=2)
_MOST_WARNINGS = 5


class OrderBook(OrderListener):
    """Finds orders by what names them, and hears everything that is said about them."""

    def __init__(self, *, client_id: int, read_only_api: bool) -> None:
        self._client_id = client_id
        self._read_only_api = read_only_api
        self.changed: dict[int, OrderRecord] = {}
        """What changed since the records were last brought up to date."""
        self.whole = asyncio.Event()
        """Unset while everything is read anew: that an order filled is told before its fills tell the price."""
        self.whole.set()
        self.any_change = asyncio.Event()
        self.unread = False
        """Whether the gateway's lists, as last read, held an order that could not be read."""
        self._by_ref: dict[str, OrderRecord] = {}
        self._by_perm: dict[int, OrderRecord] = {}
        self._by_id: dict[tuple[int, int], OrderRecord] = {}
        self._by_execution: dict[str, OrderRecord] = {}

    def __iter__(self) -> Iterator[OrderRecord]:
        """Every order once, newest first."""
        unique = {id(record): record for index in (self._by_ref, self._by_perm) for record in index.values()}
        return iter(sorted(unique.values(), key=_newest_last, reverse=True))

    def by_ref(self, ref: str) -> OrderRecord | None:
        """One of ours, by its orderRef."""
        return self._by_ref.get(ref)

    def by_perm(self, perm_id: int) -> OrderRecord | None:
        """Any order, by its permanent id."""
        return self._by_perm.get(perm_id)

    def by_order_id(self, order_id: int) -> list[OrderRecord]:
        """Every order with this number; it is unique only within the client that placed it."""
        return [record for record in self if record.order_id == order_id]

    def mark_changed(self, record: OrderRecord) -> None:
        """The order's record in Redis is to be brought up to date."""
        self.changed[id(record)] = record
        self.any_change.set()

    def drop(self, record: OrderRecord) -> None:
        """An order that is settled elsewhere."""
        self._by_ref = {name: known for name, known in self._by_ref.items() if known is not record}
        self._by_perm = {name: known for name, known in self._by_perm.items() if known is not record}
        self._by_id = {name: known for name, known in self._by_id.items() if known is not record}

    def has_number(self, record: OrderRecord) -> bool:
        """Whether the order's number still means it: a restarted gateway may have given it to another."""
        return record.order_id is not None and self._by_id.get((self._client_id, record.order_id)) is record

    @property
    def highest_number(self) -> int:
        """Of all orders of this client; 0 where it has none."""
        return max((number for client_id, number in self._by_id if client_id == self._client_id), default=0)

    def expect(self, record: OrderRecord) -> None:
        """One of ours is about to be sent: what is said about its order id is about it."""
        if record.ref not in self._by_ref:
            record.rank = max(self._by_perm, default=0)
        self._by_ref[record.ref] = record
        if record.order_id is not None:
            self._by_id[self._client_id, record.order_id] = record

    async def synchronise(self, session: Session) -> None:
        """Read all that the gateway knows of today. What was under way and has no trace afterwards is lost sight of."""
        self._forget_old()
        started = clock.now()
        self.whole.clear()
        try:
            await self.refresh(session, strict=True)
            await self.refresh_executions(session)
        except UnreadableAnswer as error:
            # The orders' own lists say how much has filled; without them nothing could be served.
            log.error("%s", error.fact)  # noqa: TRY400
        finally:
            self.whole.set()
        for record in self:
            record.unanswered = 0  # what the lists show is what became of all that was asked
            if not record.state.final and record.seen < started:
                log.warning("order %s: no trace at the gateway after synchronising", record.ref or record.perm_id)
                record.lost = True
                self._touch(record)

    async def refresh(self, session: Session, lane: Lane = Lane.ACCOUNT, *, strict: bool = False) -> str | None:
        """Read open and completed orders of every client; what could not be read, and why, or None.

        Raises where the link ends, and where open orders do not come: without them the list would look empty.
        ``strict`` raises for completed orders too.
        """
        missing: list[str] = []
        unread: list[str] = []
        client = session.client
        lists: list[tuple[Wanted, Any]] = [
            (Wanted.OPEN_ORDERS, client.reqAllOpenOrders),
            (Wanted.COMPLETED_ORDERS, lambda: client.reqCompletedOrders(False)),
        ]
        for wanted, send in lists:
            completed = wanted is Wanted.COMPLETED_ORDERS
            if self._read_only_api and completed:
                missing.append(wanted)
                continue
            try:
                await session.ask_alone(wanted, lane, SYNC_SECONDS, send)
            except UnreadableAnswer:
                unread.append(wanted)
            except NotPermitted:
                missing.append(wanted)
            except TimedOut as error:
                if completed and not strict:
                    missing.append(wanted)
                    continue
                hint = "; is its read-only API on? Then set IBKR_READ_ONLY_API=true" if completed else ""
                raise TimedOut(f"the gateway did not give the {wanted}{hint}", retry=error.retry) from error
        self.unread = bool(unread)
        notes = [f"one of the {' and '.join(unread)} could not be read"] if unread else []
        if missing:
            away = "the gateway's read-only API does not give them"
            why = away if self._read_only_api else "the gateway did not answer"
            notes.append(f"{' and '.join(missing)} are missing, {why}")
        return f"incomplete: {'; '.join(notes)}" if notes else None

    async def refresh_executions(self, session: Session) -> None:
        """Read the day's fills of every client; commissions follow each of them."""
        await session.ask(
            Wanted.EXECUTIONS, Lane.ACCOUNT, SYNC_SECONDS, lambda request: _ask_executions(session, request)
        )

    def _forget_old(self) -> None:
        """Orders that ended days ago are the journal's matter."""
        horizon = clock.now() - FORGET_AFTER

        def old(record: OrderRecord) -> bool:
            return record.state.final and record.seen < horizon

        self._by_ref = {key: record for key, record in self._by_ref.items() if not old(record)}
        self._by_perm = {key: record for key, record in self._by_perm.items() if not old(record)}
        self._by_id = {key: record for key, record in self._by_id.items() if not old(record)}
        self._by_execution = {key: record for key, record in self._by_execution.items() if not old(record)}

    def _find(self, order: Order) -> OrderRecord | None:
        perm_id = whole(order.permId)
        if order.orderRef.startswith(REF_PREFIX):
            return self._by_ref.get(order.orderRef)
        if perm_id is not None and perm_id in self._by_perm:
            return self._by_perm[perm_id]
        order_id = whole(order.orderId)
        return None if order_id is None else self._by_id.get((order.clientId, order_id))

    def _learn(self, contract: Contract, order: Order) -> OrderRecord:
        """The record of an order whose terms came in a message, made or brought up to date."""
        record = self._find(order)
        terms = {
            "quantity": exact_or_zero(order.totalQuantity) or exact_or_zero(order.filledQuantity),
            "limit_price": exact(order.lmtPrice) if "LMT" in order.orderType else None,
            "stop_price": exact(order.auxPrice) if order.orderType in {"STP", "STP LMT", "TRAIL"} else None,
            "order_type": order.orderType,
            "tif": order.tif,
            "outside_rth": order.outsideRth,
        }
        if record is None:
            record = OrderRecord(
                ref=order.orderRef,
                account=order.account,
                con_id=contract.conId,
                symbol=contract.symbol,
                sec_type=contract.secType,
                currency=contract.currency,
                action=order.action,
                **terms,  # type: ignore[arg-type]
            )
        else:
            for field_name, value in terms.items():
                setattr(record, field_name, value)
        record.local_symbol = contract.localSymbol or record.local_symbol
        self._name(record, order_id=whole(order.orderId), perm_id=whole(order.permId), client_id=order.clientId)
        return record

    def _name(self, record: OrderRecord, *, order_id: int | None, perm_id: int | None, client_id: int | None) -> None:
        """Note every name by which the gateway calls an order."""
        if record.ref.startswith(REF_PREFIX):
            self._by_ref[record.ref] = record
        if perm_id is not None:
            record.perm_ids.add(perm_id)
            self._by_perm[perm_id] = record
        if order_id is not None and order_id > 0:
            record.order_id, record.client_id = order_id, client_id
            if client_id is not None and self._newest(self._by_id.get((client_id, order_id)), record):
                self._by_id[client_id, order_id] = record
        elif client_id is not None and record.client_id is None and order_id is not None:
            record.client_id = client_id

    @staticmethod
    def _newest(known: OrderRecord | None, record: OrderRecord) -> bool:
        """Whether a number means this order rather than the one known by it: a restarted gateway reissues numbers."""
        if known is None or known is record or known.lost:
            return True
        return known.perm_id is not None and (record.perm_id is None or record.perm_id > known.perm_id)

    def on_open_order(self, contract: Contract, order: Order, state: OrderState) -> None:
        """An order's terms, with the status it has."""
        if order.whatIf:
            return
        record = self._learn(contract, order)
        record.note_status(state.status)
        if state.warningText:
            self._warn(record, plain_text(state.warningText))
        self._touch(record)

    def on_status(
        self, order_id: int, status: str, filled: float, remaining: float, average: float, perm_id: int, client_id: int
    ) -> None:
        """A status, which may repeat or come late."""
        perm = whole(perm_id)
        record = self._by_perm.get(perm) if perm is not None else None
        if record is None:
            record = self._by_id.get((client_id, order_id))
        if record is None:
            log.info("a status for an order not known: client %d, order %d, perm %s", client_id, order_id, perm)
            return
        self._name(record, order_id=whole(order_id), perm_id=perm, client_id=client_id)
        record.note_status(status)
        record.note_filled(exact_or_zero(filled), positive(average))
        self._touch(record)

    def on_execution(self, contract: Contract, execution: Execution) -> None:
        """A fill, live or from the day's list."""
        perm, order_id = whole(execution.permId), whole(execution.orderId)
        record = self._by_ref.get(execution.orderRef) or (self._by_perm.get(perm) if perm is not None else None)
        if record is None and order_id is not None:
            record = self._by_id.get((execution.clientId, order_id))
        if record is None:
            record = self._from_execution(contract, execution)
        self._name(record, order_id=order_id, perm_id=perm, client_id=execution.clientId)
        self._by_execution[execution_stem(execution.execId)] = record
        record.note_fill(
            Fill(execution.execId, exact_or_zero(execution.shares), exact_or_zero(execution.price), execution.time)
        )
        self._touch(record)

    def _from_execution(self, contract: Contract, execution: Execution) -> OrderRecord:
        """An order known only by its fills, as where completed orders are not given."""
        return OrderRecord(
            ref=execution.orderRef,
            account=execution.acctNumber,
            con_id=contract.conId,
            symbol=contract.symbol,
            local_symbol=contract.localSymbol,
            sec_type=contract.secType,
            currency=contract.currency,
            action={"BOT": "BUY", "SLD": "SELL"}.get(execution.side, execution.side),
            order_type="",
            quantity=exact_or_zero(execution.cumQty),
            limit_price=None,
            stop_price=None,
            tif="",
            outside_rth=False,
            status="Filled",
            warnings=["known only by its executions: quantity and type may be incomplete"],
        )

    def on_commission(self, report: CommissionReport) -> None:
        """What a fill cost."""
        record = self._by_execution.get(execution_stem(report.execId))
        if record is not None:
            record.note_commission(report.execId, exact(report.commission), report.currency or None)
            self._touch(record)

    def on_completed(self, contract: Contract, order: Order, state: OrderState) -> None:
        """An order of today that can no longer fill."""
        record = self._learn(contract, order)
        record.note_status(state.status)
        record.note_filled(exact_or_zero(order.filledQuantity), None)
        if state.completedStatus and record.refusal is None and not record.filled:
            record.refusal = plain_text(state.completedStatus)
        self._touch(record)

    def on_order_error(self, order_id: int, code: int, text: str) -> bool:
        """An error that names an order id; whether it is one of ours.

        Only a known refusal of an order the gateway has not acknowledged is taken for one: an unknown code read as a
        refusal would invite a second order.
        """
        record = self._by_id.get((self._client_id, order_id))
        if record is None:
            return False
        words = plain_text(text)
        log.info("gateway on order %s: %d %s", record.ref, code, words)
        if code == errors.CANCELLED:
            record.refusal = record.refusal or words
        elif code == errors.REJECTED and record.acknowledged and record.unanswered and not record.state.final:
            # Said of a change. An order that it ends is shown as ended.
            self._remark(record, code, f"{words} (gateway code {code})")
        elif code == errors.REJECTED or (code in errors.REFUSES_NEW_ORDER and not record.acknowledged):
            record.refused, record.refusal = True, words
        else:
            self._remark(record, code, f"{words} (gateway code {code})")
        self._touch(record)
        return True

    def _remark(self, record: OrderRecord, code: int, text: str) -> None:
        """What neither ends nor refuses the order. What refuses a change says nothing about the order as it stands."""
        refuses = code in errors.REFUSES_NEW_ORDER or code in {errors.CANCEL_UNKNOWN, errors.CANCEL_TOO_LATE}
        if code not in errors.INFORMATION:
            record.objection = Objection(text, refuses)
        if not (record.acknowledged and refuses):
            self._warn(record, text)

    def _touch(self, record: OrderRecord) -> None:
        record.touch()
        self.mark_changed(record)

    def _warn(self, record: OrderRecord, text: str) -> None:
        if text not in record.warnings and len(record.warnings) < _MOST_WARNINGS:
            record.warnings.append(text)


def _newest_last(record: OrderRecord) -> tuple[int, bool, int]:
    """By permanent id; one that has none, since it was refused or is on its way, follows those known before it."""
    return (record.perm_id or record.rank, record.perm_id is None, record.order_id or 0)


def _ask_executions(session: Session, request: int) -> None:
    session.client.reqExecutions(request, ExecutionFilter())
