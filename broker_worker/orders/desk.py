"""The order tools."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal

from broker_worker.accounts import accounts_meant, one_account
from broker_worker.contracts import ContractBook
from broker_worker.gateway.link import GatewayLink
from broker_worker.orders import answers, terms
from broker_worker.orders.book import OrderBook
from broker_worker.orders.changing import Change, Changer
from broker_worker.orders.finding import OrderFinder
from broker_worker.orders.placing import Placer
from broker_worker.orders.recording import Recorder
from broker_worker.orders.sending import Order
from broker_worker.orders.terms import Intent
from broker_worker.single_flight import FreshFlight
from shared import clock
from shared.contract import Call
from shared.contract.answers import Listing
from shared.contract.arguments import ContractQuery, OrderTerms
from shared.contract.orders import CancelResult, ExecutionInfo, ModifyResult, OrderInfo, OrderResult, OrderTools
from shared.errors import BridgeError, InvalidArgument
from shared.order_records import order_key


class OrderDesk(OrderTools):
    """Shows, places, changes and cancels orders."""

    def __init__(
        self,
        link: GatewayLink,
        contracts: ContractBook,
        book: OrderBook,
        finder: OrderFinder,
        placer: Placer,
        changer: Changer,
        recorder: Recorder,
        *,
        client_id: int,
    ) -> None:
        self._link = link
        self._contracts = contracts
        self._book = book
        self._finder = finder
        self._placer = placer
        self._changer = changer
        self._recorder = recorder
        self._client_id = client_id
        self._refresh = FreshFlight(lambda: book.refresh(link.session))
        self._executions = FreshFlight(lambda: book.refresh_executions(link.session))

    async def get_orders(self, call: Call, account: str | None = None, cursor: str | None = None) -> Listing[OrderInfo]:
        """See the contract."""
        _ = self._link.session  # the state of the link comes before any question about accounts
        accounts = set(accounts_meant(self._link, call, account))
        missing = await self._refresh.do()
        await self._recorder.drop_resolved()
        rows = [
            answers.order_info(record, await self._finder.name(record))
            for record in self._book
            if record.account in accounts
        ]
        return Listing[OrderInfo].page(rows, cursor=cursor, as_of=clock.now(), note=missing)

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
        return await self._changer.cancel(call, order_id)

    async def modify_order(
        self,
        call: Call,
        order: str,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> ModifyResult:
        """See the contract."""
        if quantity is None and limit_price is None and stop_price is None:
            raise InvalidArgument("nothing is to be changed", action="give quantity, limit_price or stop_price")
        change = Change(quantity=quantity, limit_price=limit_price, stop_price=stop_price)
        return await self._changer.modify(call, order, change)

    async def get_executions(
        self,
        call: Call,
        account: str | None = None,
        symbol: str | None = None,
        since: datetime | None = None,
        cursor: str | None = None,
    ) -> Listing[ExecutionInfo]:
        """See the contract."""
        _ = self._link.session
        accounts = set(accounts_meant(self._link, call, account))
        await self._executions.do()
        rows = [
            answers.execution_info(record, fill, await self._finder.name(record))
            for record in self._book
            if record.account in accounts and symbol in {None, record.symbol}
            for fill in record.fills.values()
            if since is None or fill.time >= since
        ]
        rows.sort(key=lambda row: (row.time, row.exec_id), reverse=True)
        return Listing[ExecutionInfo].page(rows, cursor=cursor, as_of=clock.now())

    async def _place(self, call: Call, contract: ContractQuery, intent: Intent) -> OrderResult:
        client_order_id = intent.terms.client_order_id or _name_for(call)
        try:
            resolved = await self._contracts.resolve(contract)
            account = one_account(self._link, call, intent.terms.account)
            terms.check(intent, resolved)
            _ = self._link.session
        except BridgeError:
            known = await self._placer.remembered(call, client_order_id, contract, intent)
            if known is None or not call.may_see(known.account):
                raise
            return known
        order = Order(
            key=order_key(call.caller, client_order_id),
            client_order_id=client_order_id,
            intent=intent,
            resolved=resolved,
            account=account,
            note=contract.note,
            may_repeat=self._key_of(call, intent.terms.repeat_of),
            description=terms.describe(intent, resolved, account),
            client_id=self._client_id,
        )
        return await self._placer.place(call, order)

    def _key_of(self, call: Call, repeat_of: str | None) -> str:
        """The key of the order that the new one may equal; raises ``InvalidArgument`` where there is none."""
        if repeat_of is None:
            return ""
        first = self._finder.find(call, repeat_of)
        if first is None:
            raise InvalidArgument(f"repeat_of names no order of today: {repeat_of}", action="name it as the answer did")
        return first.ref


def _name_for(call: Call) -> str:
    """A name for an order that came without one: of its request, so that a job that is run again is the same order."""
    return f"a-{hashlib.sha256(call.request_id.encode()).hexdigest()[:16]}"
