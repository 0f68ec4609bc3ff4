"""What the accounts hold, kept up by the gateway, and what it is worth now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from broker_worker.gateway.budget import Lane
from broker_worker.gateway.callbacks import PositionListener
from broker_worker.gateway.convert import exact, exact_or_zero
from broker_worker.gateway.requests import Wanted
from shared import clock
from shared.contract.accounts import Position, PositionPnl
from shared.errors import UnreadableAnswer

if TYPE_CHECKING:
    from ib_async import Contract

    from broker_worker.gateway.session import Session

PATIENCE = 2.0
"""Seconds to wait for the worth of holdings just asked about; the gateway sends it once a second."""
SYNC_SECONDS = 10.0


@dataclass(slots=True)
class Holding:
    """One account's holding of one contract."""

    account: str
    contract: Contract
    quantity: Decimal
    average_cost: Decimal | None
    updated: datetime
    market_value: Decimal | None = None
    unrealized: Decimal | None = None
    realized: Decimal | None = None
    daily: Decimal | None = None
    pnl_request: int | None = None
    valued: asyncio.Event = field(default_factory=asyncio.Event)

    def as_pnl(self) -> PositionPnl:
        """Its profit as the contract shows it."""
        return PositionPnl(
            account=self.account,
            symbol=self.contract.symbol,
            local_symbol=self.contract.localSymbol or None,
            con_id=self.contract.conId,
            quantity=self.quantity,
            daily=self.daily,
            unrealized=self.unrealized,
            realized=self.realized,
            market_value=self.market_value,
            currency=self.contract.currency,
            as_of=self.updated,
        )

    def as_position(self) -> Position:
        """The holding as the contract shows it."""
        contract = self.contract
        units = self.quantity * (exact(contract.multiplier) or Decimal(1))
        # A worth of 0 tells no price: that of a crumb of a coin is 0 in cents.
        price = self.market_value / units if self.market_value and units else None
        return Position(
            account=self.account,
            symbol=contract.symbol,
            local_symbol=contract.localSymbol or None,
            sec_type=contract.secType,
            exchange=contract.primaryExchange or contract.exchange or None,
            currency=contract.currency,
            con_id=contract.conId,
            quantity=self.quantity,
            multiplier=exact(contract.multiplier),
            avg_cost=self.average_cost,
            market_price=round(price, 6).normalize() if price is not None else None,
            market_value=self.market_value,
            unrealized_pnl=self.unrealized,
            realized_pnl=self.realized,
            as_of=self.updated,
        )


@dataclass(slots=True)
class AccountProfit:
    """One account's profit, kept up by the gateway."""

    account: str
    daily: Decimal | None = None
    unrealized: Decimal | None = None
    realized: Decimal | None = None
    updated: datetime | None = None
    valued: asyncio.Event = field(default_factory=asyncio.Event)


class PositionBook(PositionListener):
    """All holdings. Their number is bounded by what the accounts hold."""

    def __init__(self) -> None:
        self._holdings: dict[tuple[str, int], Holding] = {}
        self._by_request: dict[int, Holding] = {}
        self._profits: dict[str, AccountProfit] = {}
        self._profit_requests: dict[int, AccountProfit] = {}
        self.missing: str | None = None
        """What is not known of the holdings, for whoever is shown them; None where all are."""
        self._of_closed: list[int] = []
        """Subscriptions of holdings that are no more; they end when somebody asks next."""

    async def synchronise(self, session: Session) -> None:
        """Read all holdings anew; the gateway keeps sending changes until the session ends."""
        self._holdings.clear()
        self._by_request.clear()
        self._profits.clear()
        self._profit_requests.clear()
        self._of_closed.clear()
        self.missing = None
        try:
            await session.ask_alone(Wanted.POSITIONS, Lane.ACCOUNT, SYNC_SECONDS, session.client.reqPositions)
        except UnreadableAnswer:
            # Without the others nothing could be served at all, not even a cancellation.
            self.missing = "incomplete: a holding that the gateway listed could not be read"

    def quantity(self, account: str, con_id: int) -> Decimal:
        """How much an account holds of a contract; negative where short, 0 where it holds none."""
        holding = self._holdings.get((account, con_id))
        return holding.quantity if holding is not None else Decimal(0)

    async def valued(self, session: Session, accounts: Iterable[str]) -> list[Holding]:
        """The holdings of these accounts, sorted, with their worth where the gateway gives it in time."""
        wanted = set(accounts)
        holdings = [holding for (account, _), holding in sorted(self._holdings.items()) if account in wanted]
        while self._of_closed:
            session.tell_later(Lane.ACCOUNT, partial(session.client.cancelPnLSingle, self._of_closed.pop()))
        for holding in holdings:
            if holding.pnl_request is None:
                await self._subscribe(session, holding)
        await _all_set(holding.valued for holding in holdings)
        return holdings

    async def profits(self, session: Session, accounts: Iterable[str]) -> list[AccountProfit]:
        """The profit of these accounts, where the gateway gives it in time."""
        wanted = [await self._profit(session, account) for account in accounts]
        await _all_set(profit.valued for profit in wanted)
        return wanted

    async def _profit(self, session: Session, account: str) -> AccountProfit:
        profit = self._profits.get(account)
        if profit is None:
            profit = self._profits[account] = AccountProfit(account)
            request = session.client.getReqId()
            self._profit_requests[request] = profit
            try:
                await session.tell(Lane.ACCOUNT, lambda: session.client.reqPnL(request, account, ""))
            except BaseException:
                self._profits.pop(account, None)
                self._profit_requests.pop(request, None)
                raise
        return profit

    async def _subscribe(self, session: Session, holding: Holding) -> None:
        request = holding.pnl_request = session.client.getReqId()
        self._by_request[request] = holding
        try:
            await session.tell(
                Lane.ACCOUNT,
                lambda: session.client.reqPnLSingle(request, holding.account, "", holding.contract.conId),
            )
        except BaseException:
            holding.pnl_request = None
            self._by_request.pop(request, None)
            raise

    def on_position(self, account: str, contract: Contract, quantity: float, average_cost: float) -> None:
        """A holding as it is now; 0 where it was closed."""
        key = (account, contract.conId)
        amount = exact_or_zero(quantity)
        if not amount:
            closed = self._holdings.pop(key, None)
            if closed is not None and closed.pnl_request is not None:
                self._by_request.pop(closed.pnl_request, None)
                self._of_closed.append(closed.pnl_request)
            return
        now = clock.now()
        holding = self._holdings.get(key)
        if holding is None:
            self._holdings[key] = Holding(account, contract, amount, exact(average_cost), now)
            return
        if amount != holding.quantity:
            # The worth was that of the old quantity; the next update brings the new one.
            holding.market_value = holding.unrealized = None
            holding.valued.clear()
        holding.quantity, holding.average_cost, holding.updated = amount, exact(average_cost), now

    def on_account_pnl(self, request: int, daily: float, unrealized: float, realized: float) -> None:
        """One account's profit, in its base currency."""
        if (profit := self._profit_requests.get(request)) is not None:
            profit.daily, profit.unrealized, profit.realized = exact(daily), exact(unrealized), exact(realized)
            profit.updated = clock.now()
            profit.valued.set()

    def on_pnl(self, request: int, daily: float, unrealized: float, realized: float, value: float) -> None:
        """One holding's profit and worth."""
        holding = self._by_request.get(request)
        if holding is None:
            return
        holding.daily = exact(daily)
        holding.unrealized, holding.realized, holding.market_value = exact(unrealized), exact(realized), exact(value)
        holding.updated = clock.now()
        holding.valued.set()


async def _all_set(events: Iterable[asyncio.Event]) -> None:
    """Return when all of them are set, or after a moment."""
    waits = [asyncio.ensure_future(event.wait()) for event in events if not event.is_set()]
    if waits:
        await asyncio.wait(waits, timeout=PATIENCE)
        for wait in waits:
            wait.cancel()
