"""A caller limited to one account: to it the others do not exist, whatever a frontend says or does not say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.contract import OPERATIONS, Call, Scope
from shared.contract.orders import OrderState
from shared.envelope import read_answer, seal
from shared.errors import InvalidArgument, NotPermitted, WrongAccount
from shared.queue import arq_seam
from tests.worker.harness import EVERYONE, Bridge, quiet_gateway
from tests.worker.test_hostile_jobs import SECRET, refusal

MINE, THEIRS = "DU1234567", "DU7654321"
LIMIT: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": "100"}

ARGUMENTS: dict[str, dict[str, Any]] = {
    "get_account_summary": {}, "get_positions": {}, "get_orders": {}, "get_executions": {},
    "get_stock_price": {"symbol": "AAPL"}, "get_historical_data": {"symbol": "AAPL"},
    "get_pnl": {}, "get_contract_details": {"symbol": "AAPL"}, "get_quotes": {"symbols": "AAPL"},
    "get_option_quotes": {"symbol": "AAPL", "expiration": "2025-12-19"},
    "get_option_chain": {"symbol": "AAPL"}, "search_contracts": {"pattern": "AAPL"},
    "place_limit_order": LIMIT, "place_market_order": {"symbol": "AAPL", "action": "BUY", "quantity": 1},
    "place_stop_order": {"symbol": "AAPL", "action": "BUY", "quantity": 1, "stop_price": "900"},
    "cancel_order": {"order_id": "perm:1"}, "modify_order": {"order": "perm:1", "quantity": 2},
}  # fmt: skip


@pytest.fixture
async def two() -> AsyncIterator[Bridge]:
    async with Bridge(quiet_gateway(accounts=(MINE, THEIRS))) as bridge:
        yield bridge


async def narrow(bridge: Bridge, tool: str, caller: str = "narrow", **arguments: Any) -> str:
    """The answer's text to a caller with MINE alone."""
    envelope = bridge.envelope(tool, arguments=arguments, caller=caller, accounts=frozenset({MINE}))
    return read_answer(await bridge.put(envelope))[0]


@pytest.mark.parametrize("tool", [name for name, op in OPERATIONS.items() if op.marker.answered_by == "worker"])
async def test_no_answer_of_any_tool_names_another_account(two: Bridge, tool: str) -> None:
    other = await two.call("place_limit_order", **LIMIT, account=THEIRS, client_order_id="theirs")
    arguments = ARGUMENTS[tool] | ({"order_id": f"perm:{other.perm_id}"} if tool == "cancel_order" else {})
    try:
        text = await narrow(two, tool, **arguments)
    except InvalidArgument as error:
        assert tool == "modify_order"
        text = str(error)
    assert THEIRS not in text
    assert "theirs" not in text
    if "account" in OPERATIONS[tool].argument_names:
        said = [await _refused(two, tool, wrong) for wrong in (THEIRS, "DU9999999")]
        assert len(set(said)) == 1, "whether the other account exists shows"


async def _refused(bridge: Bridge, tool: str, account: str) -> str:
    with pytest.raises(WrongAccount) as refused:
        await narrow(bridge, tool, **ARGUMENTS[tool], account=account)
    return str(refused.value).replace(account, "ANOTHER")


async def test_left_out_the_account_is_the_only_one_that_is_open(two: Bridge) -> None:
    with pytest.raises(InvalidArgument, match="account is needed"):
        await two.call("place_limit_order", **LIMIT)
    assert f'"account":"{MINE}"' in await narrow(two, "place_limit_order", **LIMIT)
    assert [entry.account for entry in two.placed()] == [MINE]


async def test_anothers_order_can_be_neither_cancelled_nor_changed_nor_repeated(two: Bridge) -> None:
    other = await two.call("place_limit_order", **LIMIT, account=THEIRS, client_order_id="theirs", caller="narrow")
    before = len(two.control.ledger())
    for handle in (f"perm:{other.perm_id}", str(other.order_id), "theirs"):
        assert '"status":"NOT_FOUND"' in await narrow(two, "cancel_order", order_id=handle)
        with pytest.raises(InvalidArgument, match="there is no order"):
            await narrow(two, "modify_order", order=handle, quantity=2)
        with pytest.raises(InvalidArgument, match="names no order of today"):
            await narrow(two, "place_limit_order", **LIMIT, repeat_of=handle)
    assert len(two.control.ledger()) == before
    orders = await two.call("get_orders")
    assert [order.state for order in orders.items] == [OrderState.WORKING]


async def test_an_answer_remembered_from_another_account_is_not_told(two: Bridge) -> None:
    placed = {**LIMIT, "account": THEIRS, "client_order_id": "mine"}
    await two.call("place_limit_order", **placed, caller="narrow")
    with pytest.raises(WrongAccount):
        await narrow(two, "place_limit_order", **placed)
    assert len(two.placed()) == 1


async def test_a_caller_none_of_whose_accounts_is_here_is_told_so_and_not_shown_emptiness(two: Bridge) -> None:
    for tool in ("get_positions", "get_orders", "get_account_summary", "get_executions"):
        envelope = two.envelope(tool, caller="stranger", accounts=frozenset({"DU5555555"}))
        assert isinstance(refusal(await two.put(envelope)), WrongAccount)


def test_without_a_word_on_accounts_all_are_open_and_an_unknown_one_only_then() -> None:
    def call(accounts: frozenset[str] | None) -> Call:
        late = datetime.now(UTC) + timedelta(seconds=1)
        return Call(caller="x", scopes=frozenset(Scope), request_id="x", deadline=late, accounts=accounts)

    assert call(None).may_see(None)
    assert call(None).may_see(MINE)
    assert call(frozenset({MINE})).may_see(MINE)
    assert not call(frozenset({MINE})).may_see(THEIRS)
    assert not call(frozenset({MINE})).may_see(None)
    assert not call(frozenset()).may_see(MINE)
    assert not call(None).may_see("U1234567")
    assert replace(call(None), authenticated=True).may_see("U1234567")


@pytest.mark.parametrize("authenticated", [True, False])
@pytest.mark.parametrize("secret", ["", SECRET])
async def test_a_live_account_is_served_only_by_signed_jobs_of_callers_somebody_vouched_for(
    secret: str, authenticated: bool
) -> None:
    gateway = quiet_gateway(accounts=("U1234567",))
    async with Bridge(gateway, ibkr_trading_mode="live", job_signing_secret=secret) as bridge:
        for tool, arguments in {"get_positions": {}, "place_limit_order": LIMIT}.items():
            envelope = bridge.envelope(tool, arguments=arguments, authenticated=authenticated, scopes=EVERYONE)
            answer = await bridge.put(envelope)
            if secret and authenticated:
                read_answer(answer)
            else:
                error = refusal(answer)
                assert isinstance(error, NotPermitted)
                assert ("AUTHENTICATION" if secret else "JOB_SIGNING_SECRET") in str(error)
        assert len(bridge.placed()) == int(bool(secret) and authenticated)


async def test_an_envelope_of_the_first_version_is_still_served_on_paper(two: Bridge) -> None:
    body, _ = seal(two.envelope("get_positions", v=1), b"")
    old = {name: value for name, value in json.loads(body).items() if name not in {"accounts", "authenticated"}}
    read_answer(await two.put_raw(arq_seam.encode_job(json.dumps(old), "", 1)))
