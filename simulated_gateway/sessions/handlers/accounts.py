"""Requests about accounts, positions, profit and loss."""

from __future__ import annotations

from collections.abc import Mapping

from simulated_gateway.sessions.session import Session
from simulated_gateway.sessions.streams.account_streams import (
    AccountSummary,
    AccountUpdates,
    AccountUpdatesMulti,
    Positions,
    PositionsMulti,
    ProfitAndLossStream,
    SingleProfitAndLossStream,
)
from simulated_gateway.trading.accounts import Account
from simulated_gateway.wire import account_messages, errors
from simulated_gateway.wire.requests import Request

from .general import Handler

_NO_ID = -1
_SUMMARY = "account summary"


def _asked_account(session: Session, request: Request, kind: str) -> Account | None:
    """The account a request names, or the only one; None, and an error sent, where there is none."""
    accounts = session.brokerage.accounts
    code = request.record.text("account")
    if not code and len(accounts) == 1:
        return next(iter(accounts.values()))
    if code in accounts:
        return accounts[code]
    cause = f"Invalid account code '{code}'." if code else "The account code is required for this operation."
    session.error(request.req_id, 321, errors.validation(kind, cause))
    return None


def _asked_accounts(session: Session, request: Request, kind: str) -> list[Account]:
    """The same where no name, or All, means all accounts."""
    if request.record.text("account") in {"", "All"}:
        return list(session.brokerage.accounts.values())
    account = _asked_account(session, request, kind)
    return [account] if account else []


def account_updates(session: Session, request: Request) -> None:
    """Subscribe to one account, or end it. A client has one such subscription; a new one replaces it."""
    if not request.record.flag("subscribe"):
        session.unsubscribe(("account updates", _NO_ID))
        return
    account = _asked_account(session, request, "bT")
    if account is not None:
        stream = AccountUpdates(session, account)
        session.subscribe(("account updates", _NO_ID), stream)
        stream.refresh()


def positions(session: Session, _request: Request) -> None:
    """All positions of all accounts, and from then on what changes."""
    stream = Positions(session, list(session.brokerage.accounts.values()))
    session.subscribe(("positions", _NO_ID), stream)
    stream.refresh()
    session.send_message(account_messages.position_end())


def positions_multi(session: Session, request: Request) -> None:
    """The positions of one account."""
    accounts = _asked_accounts(session, request, "cq")
    if accounts:
        stream = PositionsMulti(session, accounts, request.req_id, request.record.text("model_code"))
        session.subscribe(("positions multi", request.req_id), stream)
        stream.refresh()
        session.send_message(account_messages.position_multi_end(request.req_id))


def account_updates_multi(session: Session, request: Request) -> None:
    """The values of one account, under a request id."""
    accounts = _asked_accounts(session, request, "cr")
    if accounts:
        record = request.record
        stream = AccountUpdatesMulti(
            session,
            accounts,
            request.req_id,
            record.text("model_code"),
            ledger_only=record.flag("ledger_and_nlv"),
        )
        session.subscribe(("account updates multi", request.req_id), stream)
        stream.refresh()
        session.send_message(account_messages.account_update_multi_end(request.req_id))


def account_summary(session: Session, request: Request) -> None:
    """Some values of all accounts."""
    active = sum(1 for kind, req_id in session.streams if kind == _SUMMARY and req_id != request.req_id)
    if active >= session.brokerage.config.limits.account_summaries:
        session.brokerage.counters.violations[322] += 1
        text = "Error processing request.-'cg' : cause - Maximum number of account summary requests exceeded"
        session.error(request.req_id, 322, text)
        return
    group = request.record.text("group")
    accounts = session.brokerage.accounts
    if group not in {"All", *accounts}:
        session.error(request.req_id, 321, errors.validation("cg", f"Invalid group '{group}'"))
        return
    asked = list(accounts.values()) if group == "All" else [accounts[group]]
    tags = [tag.strip() for tag in request.record.text("tags").split(",") if tag.strip()]
    stream = AccountSummary(session, asked, request.req_id, tags)
    session.subscribe((_SUMMARY, request.req_id), stream)
    stream.refresh()
    session.send_message(account_messages.account_summary_end(request.req_id))


def profit_and_loss(session: Session, request: Request) -> None:
    """An account's profit and loss, every second."""
    account = _asked_account(session, request, "cp")
    if account is not None:
        stream = ProfitAndLossStream(session, account, request.req_id)
        session.subscribe(("pnl", request.req_id), stream)
        stream.publish(session.brokerage.clock.monotonic())


def single_profit_and_loss(session: Session, request: Request) -> None:
    """A position's profit and loss, every second."""
    account = _asked_account(session, request, "cs")
    if account is not None:
        stream = SingleProfitAndLossStream(session, account, request.record.integer("con_id"), request.req_id)
        session.subscribe(("pnl single", request.req_id), stream)
        stream.publish(session.brokerage.clock.monotonic())


def _cancels(kind: str) -> Handler:
    def handler(session: Session, request: Request) -> None:
        session.unsubscribe((kind, request.req_id))

    return handler


HANDLERS: Mapping[str, Handler] = {
    "reqAccountUpdates": account_updates,
    "reqPositions": positions,
    "cancelPositions": _cancels("positions"),
    "reqPositionsMulti": positions_multi,
    "cancelPositionsMulti": _cancels("positions multi"),
    "reqAccountUpdatesMulti": account_updates_multi,
    "cancelAccountUpdatesMulti": _cancels("account updates multi"),
    "reqAccountSummary": account_summary,
    "cancelAccountSummary": _cancels(_SUMMARY),
    "reqPnL": profit_and_loss,
    "cancelPnL": _cancels("pnl"),
    "reqPnLSingle": single_profit_and_loss,
    "cancelPnLSingle": _cancels("pnl single"),
}
