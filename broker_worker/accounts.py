"""The account tools."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from decimal import Decimal, InvalidOperation
from typing import cast

from broker_worker.gateway.budget import Lane
from broker_worker.gateway.convert import exact
from broker_worker.gateway.link import GatewayLink
from broker_worker.gateway.requests import Wanted
from broker_worker.positions import PositionBook
from broker_worker.single_flight import FreshFlight
from shared import clock
from shared.contract import Call
from shared.contract.accounts import (
    AccountAmount,
    AccountPnl,
    AccountSummary,
    AccountTools,
    Position,
    PositionPnl,
    ProfitAndLoss,
)
from shared.contract.answers import Listing
from shared.errors import InvalidArgument, WrongAccount

TAGS = (
    "NetLiquidation,TotalCashValue,BuyingPower,AvailableFunds,ExcessLiquidity,InitMarginReq,MaintMarginReq,"
    "GrossPositionValue,$LEDGER:ALL"
)
"""What one account summary request asks for. ``$LEDGER:ALL`` adds cash per currency. Source: TWS API."""

_BASE = "BASE"
"""The ledger's row for all currencies together."""

Row = tuple[str, str, str, str]


def one_account(link: GatewayLink, call: Call, account: str | None) -> str:
    """The account a call means; left out, the only one. Raises where the caller may not use it, or it is not clear.

    To a caller limited to some accounts the others do not exist: no answer tells whether there are any.
    """
    known = _open_to(call, link)
    if account is None:
        if len(known) == 1:
            return known[0]
        raise InvalidArgument(f"account is needed: there are {', '.join(known)}", action="name the account")
    if account not in known:
        raise WrongAccount(f"account {account} is not one of {', '.join(known)}")
    return account


def accounts_meant(link: GatewayLink, call: Call, account: str | None) -> list[str]:
    """The accounts of a list: the one named, or all that the caller may see."""
    return _open_to(call, link) if account is None else [one_account(link, call, account)]


def _open_to(call: Call, link: GatewayLink) -> list[str]:
    """The gateway's accounts that the caller may see; raises where there is none: an empty list would mislead."""
    known = [name for name in link.accounts if call.may_see(name)]
    if not known:
        _ = link.session  # before the first connection no account is known; the link says so better
        raise WrongAccount(f"none of the accounts open to {call.caller} is served by this gateway")
    return known


class AccountDesk(AccountTools):
    """Answers what the accounts hold."""

    def __init__(self, link: GatewayLink, positions: PositionBook) -> None:
        self._link = link
        self._positions = positions
        self._flight = FreshFlight(self._summary)
        self._base_currencies: dict[str, str] = {}

    async def get_account_summary(self, call: Call, account: str | None = None) -> AccountSummary:
        """See the contract."""
        _ = self._link.session  # the state of the link comes before any question about accounts
        name = one_account(self._link, call, account)
        rows = await self._flight.do()
        by_tag: dict[str, dict[str, AccountAmount]] = defaultdict(dict)
        for row_account, tag, value, currency in rows:
            amount = _amount(value) if row_account == name else None
            if amount is not None:
                by_tag[tag][currency] = AccountAmount(tag=tag, value=amount, currency=currency, account=name)
        base = next(iter(by_tag["NetLiquidation"]), None) or None
        cash = by_tag["CashBalance"]
        return AccountSummary(
            account=name,
            base_currency=base,
            net_liquidation=_only(by_tag["NetLiquidation"]),
            cash_balance=_in_base(cash.get(_BASE), base),
            total_cash_value=_only(by_tag["TotalCashValue"]),
            buying_power=_only(by_tag["BuyingPower"]),
            available_funds=_only(by_tag["AvailableFunds"]),
            excess_liquidity=_only(by_tag["ExcessLiquidity"]),
            initial_margin=_only(by_tag["InitMarginReq"]),
            maintenance_margin=_only(by_tag["MaintMarginReq"]),
            gross_position_value=_only(by_tag["GrossPositionValue"]),
            cash_by_currency=[amount for currency, amount in sorted(cash.items()) if currency != _BASE],
            as_of=clock.now(),
        )

    async def get_positions(
        self, call: Call, account: str | None = None, cursor: str | None = None
    ) -> Listing[Position]:
        """See the contract."""
        session = self._link.session
        holdings = await self._positions.valued(session, accounts_meant(self._link, call, account))
        rows = [holding.as_position() for holding in holdings]
        return Listing[Position].page(rows, cursor=cursor, as_of=clock.now(), note=self._positions.missing)

    async def get_pnl(
        self, call: Call, account: str | None = None, con_id: int | None = None, cursor: str | None = None
    ) -> ProfitAndLoss:
        """See the contract."""
        session = self._link.session
        names = accounts_meant(self._link, call, account)
        profits, holdings, bases = await asyncio.gather(
            self._positions.profits(session, names), self._positions.valued(session, names), self._bases()
        )
        rows = [holding.as_pnl() for holding in holdings if con_id in {None, holding.contract.conId}]
        page = Listing[PositionPnl].page(rows, cursor=cursor, as_of=clock.now())
        totals = [
            AccountPnl(
                account=profit.account,
                daily=profit.daily,
                unrealized=profit.unrealized,
                realized=profit.realized,
                currency=bases.get(profit.account),
                as_of=profit.updated,
            )
            for profit in profits
        ]
        note = self._positions.missing or (None if rows or con_id is None else f"con_id {con_id} is not held")
        return ProfitAndLoss(
            items=page.items,
            count=page.count,
            truncated=page.truncated,
            next_cursor=page.next_cursor,
            as_of=page.as_of,
            note=note,
            accounts=totals,
        )

    async def _bases(self) -> dict[str, str]:
        """Each account's base currency; it does not change while the worker lives."""
        if not self._base_currencies.keys() >= set(self._link.accounts):
            rows = await self._flight.do()
            self._base_currencies = {row[0]: row[3] for row in rows if row[1] == "NetLiquidation" and row[3]}
        return self._base_currencies

    async def _summary(self) -> list[Row]:
        """Every account's values. Subscriptions are scarce (two at once), so it is taken back at once."""
        session = self._link.session
        used: list[int] = []

        def send(request: int) -> None:
            used.append(request)
            session.client.reqAccountSummary(request, "All", TAGS)

        try:
            return cast("list[Row]", await session.ask(Wanted.ACCOUNT_VALUES, Lane.ACCOUNT, 6.0, send))
        finally:
            if used and session.alive:
                await session.tell(Lane.ACCOUNT, lambda: session.client.cancelAccountSummary(used[0]))


def _amount(text: str) -> Decimal | None:
    """The value of a row, where it is a number: some tags carry words."""
    try:
        return exact(text)
    except (InvalidOperation, ValueError):
        return None


def _only(values: dict[str, AccountAmount]) -> AccountAmount | None:
    """The one value of a tag that has one."""
    return next(iter(values.values()), None)


def _in_base(amount: AccountAmount | None, base: str | None) -> AccountAmount | None:
    """The ledger's total, in the name of the base currency instead of the word BASE."""
    return amount.model_copy(update={"currency": base}) if amount is not None and base else amount
