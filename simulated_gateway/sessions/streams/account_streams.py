"""Streams about accounts: account updates, positions, summaries, profit and loss."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from simulated_gateway.sessions.session import Session
from simulated_gateway.trading.account_values import AccountValue, ledger_values, summary_values, update_values
from simulated_gateway.trading.accounts import ZERO, Account
from simulated_gateway.trading.valuation import HoldingValue
from simulated_gateway.wire import account_messages
from simulated_gateway.wire.framing import Message
from simulated_gateway.wire.times import GATEWAY_ZONE


class Refreshed:
    """A stream that sends something again when its time has come, or sooner when an account changed."""

    def __init__(self, session: Session, accounts: Sequence[Account], seconds: float) -> None:
        self._session = session
        self._accounts = accounts
        self._seconds = seconds
        self._due = session.brokerage.clock.monotonic() + seconds
        self._revisions = self._seen()

    def _seen(self) -> list[int]:
        return [account.revision for account in self._accounts]

    def publish(self, now: float) -> None:
        """Send what changed, if it is time."""
        if now >= self._due or self._seen() != self._revisions:
            self._due = now + self._seconds
            self._revisions = self._seen()
            self.refresh()

    def refresh(self) -> None:
        """Send what changed."""

    def stop(self) -> None:
        """Nothing to undo."""


class AccountUpdates(Refreshed):
    """Messages 6, 7, 8 and 54 for one account."""

    def __init__(self, session: Session, account: Account) -> None:
        super().__init__(session, [account], session.brokerage.config.account_refresh)
        self._account = account
        self._sent: set[int] = set()

    def refresh(self) -> None:
        """Send the whole account."""
        session, account = self._session, self._account
        valuation = session.brokerage.valuation
        for row in update_values(account, valuation):
            session.send_message(account_messages.account_value(row.tag, row.value, row.currency, account.code))
        for con_id, holding in list(account.holdings.items()):
            if holding.quantity or con_id in self._sent:
                self._sent.add(con_id)
                session.send_message(_portfolio_value(account.code, account, con_id, valuation.holding(holding)))
        local = session.brokerage.clock.now().astimezone(GATEWAY_ZONE)
        session.send_message(account_messages.account_time(f"{local:%H:%M}"))
        session.send_message(account_messages.account_download_end(account.code))


def _portfolio_value(code: str, account: Account, con_id: int, valued: HoldingValue) -> Message:
    holding = account.holdings[con_id]
    return account_messages.portfolio_value(
        holding.instrument,
        code,
        quantity=holding.quantity,
        price=valued.price or ZERO,
        value=valued.value or ZERO,
        average_cost=holding.average_cost,
        unrealized=valued.unrealized or ZERO,
        realized=valued.realized,
    )


class Positions(Refreshed):
    """Message 61 for every account, again for what a fill changed."""

    def __init__(self, session: Session, accounts: Sequence[Account]) -> None:
        super().__init__(session, accounts, float("inf"))
        self._sent: dict[tuple[str, int], Decimal] = {}

    def refresh(self) -> None:
        """Send the positions that are not as they were sent last; a position that is gone is sent as zero."""
        for account in self._accounts:
            for con_id, holding in list(account.holdings.items()):
                key = (account.code, con_id)
                if holding.quantity != self._sent.get(key, ZERO):
                    self._sent[key] = holding.quantity
                    self._session.send_message(
                        account_messages.position(
                            account.code, holding.instrument, holding.quantity, holding.average_cost
                        )
                    )


class PositionsMulti(Refreshed):
    """Message 71 for one account or all."""

    def __init__(self, session: Session, accounts: Sequence[Account], req_id: int, model_code: str) -> None:
        super().__init__(session, accounts, float("inf"))
        self._req_id = req_id
        self._model_code = model_code

    def refresh(self) -> None:
        """Send all positions."""
        for account in self._accounts:
            for holding in account.held():
                self._session.send_message(
                    account_messages.position_multi(
                        self._req_id,
                        account.code,
                        holding.instrument,
                        holding.quantity,
                        holding.average_cost,
                        self._model_code,
                    )
                )


class AccountUpdatesMulti(Refreshed):
    """Message 73 for one account or all."""

    def __init__(
        self, session: Session, accounts: Sequence[Account], req_id: int, model_code: str, *, ledger_only: bool
    ) -> None:
        super().__init__(session, accounts, session.brokerage.config.account_refresh)
        self._req_id = req_id
        self._model_code = model_code
        self._ledger_only = ledger_only

    def refresh(self) -> None:
        """Send the whole account."""
        valuation = self._session.brokerage.valuation
        for account in self._accounts:
            rows = update_values(account, valuation)
            if self._ledger_only:
                rows = [row for row in summary_values(account, valuation) if row.tag == "NetLiquidation"]
                rows += ledger_values(account, valuation)
            for row in rows:
                self._session.send_message(
                    account_messages.account_update_multi(
                        self._req_id, account.code, self._model_code, row.tag, row.value, row.currency
                    )
                )


class AccountSummary(Refreshed):
    """Message 63: the asked tags of every account, again what changed of them."""

    def __init__(self, session: Session, accounts: Sequence[Account], req_id: int, tags: Sequence[str]) -> None:
        super().__init__(session, accounts, session.brokerage.config.account_refresh)
        self._req_id = req_id
        self._tags = tags
        self._sent: dict[tuple[str, str, str], str] = {}

    def refresh(self) -> None:
        """Send the values that are not as they were sent last."""
        for account in self._accounts:
            for row in self._rows(account):
                key = (account.code, row.tag, row.currency)
                if self._sent.get(key) != row.value:
                    self._sent[key] = row.value
                    self._session.send_message(
                        account_messages.account_summary(self._req_id, account.code, row.tag, row.value, row.currency)
                    )

    def _rows(self, account: Account) -> list[AccountValue]:
        valuation = self._session.brokerage.valuation
        rows = [row for row in summary_values(account, valuation) if row.tag in self._tags]
        for tag in self._tags:
            if tag.startswith("$LEDGER"):
                wanted = tag.partition(":")[2] or "BASE"
                rows += [row for row in ledger_values(account, valuation) if wanted in {"ALL", row.currency}]
        return rows


class ProfitAndLossStream:
    """Message 94, every second where it changed."""

    def __init__(self, session: Session, account: Account, req_id: int) -> None:
        self._session = session
        self._account = account
        self._req_id = req_id
        self._due = 0.0
        self._sent: Message = ()

    def publish(self, now: float) -> None:
        """Send the figures if they changed."""
        if now < self._due:
            return
        self._due = now + self._session.brokerage.config.pnl_refresh
        figures = self._session.brokerage.valuation.profit_and_loss(self._account)
        message = account_messages.pnl(self._req_id, figures.daily, figures.unrealized, figures.realized)
        if message != self._sent:
            self._sent = message
            self._session.send_message(message)

    def stop(self) -> None:
        """Nothing to undo."""


class SingleProfitAndLossStream:
    """Message 95, every second where it changed; a contract that is not held has a position of zero."""

    def __init__(self, session: Session, account: Account, con_id: int, req_id: int) -> None:
        self._session = session
        self._account = account
        self._con_id = con_id
        self._req_id = req_id
        self._due = 0.0
        self._sent: Message = ()

    def publish(self, now: float) -> None:
        """Send the figures if they changed."""
        if now < self._due:
            return
        self._due = now + self._session.brokerage.config.pnl_refresh
        message = self._message()
        if message != self._sent:
            self._sent = message
            self._session.send_message(message)

    def _message(self) -> Message:
        holding = self._account.holdings.get(self._con_id)
        if holding is None:
            return account_messages.pnl_single(self._req_id, ZERO, None, None, None, None)
        valued = self._session.brokerage.valuation.holding(holding)
        return account_messages.pnl_single(
            self._req_id, holding.quantity, valued.daily, valued.unrealized, valued.realized, valued.value
        )

    def stop(self) -> None:
        """Nothing to undo."""
