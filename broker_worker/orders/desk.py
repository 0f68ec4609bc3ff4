"""The order tools."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from datetime import UTC, datetime
from decimal import Decimal

from broker_worker.accounts import accounts_meant, one_account
from broker_worker.contracts import ContractBook
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.link import GatewayLink
from broker_worker.orders import answers, terms
from broker_worker.orders.book import REF_PREFIX, OrderBook
from broker_worker.orders.journal import Journal, order_key
from broker_worker.orders.placing import Placer
from broker_worker.orders.record import OrderRecord
from broker_worker.orders.terms import Intent
from broker_worker.single_flight import FreshFlight
from shared.contract import Call
from shared.contract.answers import Listing
from shared.contract.arguments import ContractQuery, OrderTerms
from shared.contract.orders import CancelResult, OrderInfo, OrderResult, OrderTools
from shared.errors import InvalidArgument
from shared.redis_store import RedisAway

CANCEL_SECONDS = 8.0
"""How long an answer waits for a cancellation to be confirmed."""


class OrderDesk(OrderTools):
    """Shows, places and cancels orders."""

    def __init__(
        self,
        link: GatewayLink,
        contracts: ContractBook,
        book: OrderBook,
        journal: Journal,
        placer: Placer,
        client_id: int,
    ) -> None:
        self._link = link
        self._contracts = contracts
        self._book = book
        self._journal = journal
        self._placer = placer
        self._client_id = client_id
        self._refresh = FreshFlight(lambda: book.refresh(link.session))

    async def get_orders(self, call: Call, account: str | None = None, cursor: str | None = None) -> Listing[OrderInfo]:
        """See the contract."""
        _ = self._link.session  # the state of the link comes before any question about accounts
        accounts = set(accounts_meant(self._link, account))
        missing = await self._refresh.do()
        rows = [
            answers.order_info(record, await self._name(record)) for record in self._book if record.account in accounts
        ]
        return Listing[OrderInfo].page(rows, cursor=cursor, as_of=datetime.now(UTC), note=missing)

    async def place_limit_order(
        self,
        call: Call,
        contract: ContractQuery,
        action: str,
        quantity: Decimal,
        limit_price: Decimal,
        terms: OrderTerms,
    ) -> OrderResult:
        """See the contract."""
        intent = Intent(order_type="LMT", action=action, quantity=quantity, limit_price=limit_price, terms=terms)
        return await self._place(call, contract, intent)

    async def place_market_order(
        self, call: Call, contract: ContractQuery, action: str, quantity: Decimal, terms: OrderTerms
    ) -> OrderResult:
        """See the contract."""
        return await self._place(
            call, contract, Intent(order_type="MKT", action=action, quantity=quantity, terms=terms)
        )

    async def place_stop_order(
        self,
        call: Call,
        contract: ContractQuery,
        action: str,
        quantity: Decimal,
        stop_price: Decimal,
        terms: OrderTerms,
    ) -> OrderResult:
        """See the contract."""
        intent = Intent(order_type="STP", action=action, quantity=quantity, stop_price=stop_price, terms=terms)
        return await self._place(call, contract, intent)

    async def cancel_order(self, call: Call, order_id: str) -> CancelResult:
        """See the contract."""
        session = self._link.session
        record = self._find(call, order_id)
        if record is None:
            await self._book.refresh(session, Lane.CANCEL)
            record = self._find(call, order_id)
        if record is None:
            return CancelResult(
                order_id=None, perm_id=None, client_order_id=None, status="NOT_FOUND",
                message=f"there is no order {order_id} today; get_orders lists them",
            )  # fmt: skip
        name = await self._name(record)
        if record.state.final:
            return answers.cancel_result(record, name, "nothing to cancel: the order is over")
        if record.client_id != self._client_id or record.order_id is None:
            who = f"API client {record.client_id}" if record.client_id else "a person in TWS"
            result = answers.cancel_result(record, name, f"it was placed by {who}; only there can it be cancelled")
            return result.model_copy(update={"status": "REJECTED"})
        number = record.order_id
        await session.tell(Lane.CANCEL, lambda: session.client.cancelOrder(number))
        return answers.cancel_result(record, name, await self._cancelled(record))

    async def _cancelled(self, record: OrderRecord) -> str | None:
        """Wait until the order is over; what to say where it is not, or not cancelled."""
        give_up = time.monotonic() + CANCEL_SECONDS
        said = len(record.warnings)
        while not record.state.final and self._link.alive and len(record.warnings) == said:
            changed = record.changed
            try:
                async with asyncio.timeout(max(give_up - time.monotonic(), 0)):
                    await changed.wait()
            except TimeoutError:
                break
        if record.state.final:
            return None
        if len(record.warnings) > said:
            return record.warnings[-1]
        return "the cancellation was sent and is not confirmed yet; call get_orders to see what became of it"

    async def _place(self, call: Call, contract: ContractQuery, intent: Intent) -> OrderResult:
        resolved = await self._contracts.resolve(contract)
        account = one_account(self._link, intent.terms.account)
        terms.check(intent, resolved)
        client_order_id = intent.terms.client_order_id or _name_for(call)
        return await self._placer.place(call, client_order_id, intent, resolved, account, contract.note)

    def _find(self, call: Call, handle: str) -> OrderRecord | None:
        """The order a handle names; raises ``InvalidArgument`` where it names several."""
        if perm := re.fullmatch(r"perm:\s*(\d{1,12})", handle, re.IGNORECASE):
            return self._book.by_perm(int(perm[1]))
        if not (handle.isascii() and handle.isdigit()):
            return self._book.by_ref(order_key(call.caller, handle))
        candidates = self._book.by_order_id(int(handle))
        if len(candidates) > 1:
            named = "; ".join(
                f"perm:{record.perm_id} {record.action} {record.symbol} by client {record.client_id}"
                for record in candidates[:6]
            )
            raise InvalidArgument(f"order {handle} could be {named}", action="name the order by its perm:N")
        return candidates[0] if candidates else None

    async def _name(self, record: OrderRecord) -> str | None:
        """The agent's own name of one of ours."""
        if not record.ref.startswith(REF_PREFIX):
            return None
        try:
            return await self._journal.name(record.ref)
        except RedisAway:
            return None


def _name_for(call: Call) -> str:
    """A name for an order that came without one: of its request, so that a job that is run again is the same order."""
    return f"a-{hashlib.sha256(call.request_id.encode()).hexdigest()[:16]}"
