"""READONLY in the worker: every order tool is refused with the reason, whoever asks; queries work."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from shared.contract import OPERATIONS, Effect
from shared.contract.orders import OrderState
from shared.errors import InvalidArgument

from .harness import Bridge

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 1}
TRADES: dict[str, dict[str, Any]] = {
    "place_limit_order": ORDER | {"limit_price": 100},
    "place_market_order": ORDER,
    "place_stop_order": ORDER | {"stop_price": 100},
    "cancel_order": {"order_id": "1"},
    "modify_order": {"order": "1", "quantity": 2},
}
QUERIES: dict[str, dict[str, Any]] = {
    "get_account_summary": {},
    "get_positions": {},
    "get_orders": {},
    "get_executions": {},
    "get_stock_price": {"symbol": "AAPL"},
    "get_historical_data": {"symbol": "AAPL"},
    "get_option_chain": {"symbol": "AAPL"},
    "get_quotes": {"symbols": ["AAPL"]},
    "get_option_quotes": {"symbol": "AAPL", "expiration": "2025-12-19", "strikes": 1},
    "get_contract_details": {"symbol": "AAPL"},
    "get_pnl": {},
    "search_contracts": {"pattern": "AAPL"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="locked")
async def locked_bridge() -> Any:
    """A worker under READONLY."""
    async with Bridge(readonly=True) as opened:
        yield opened


async def test_no_tool_is_forgotten_here() -> None:
    worker = {name: operation for name, operation in OPERATIONS.items() if operation.marker.answered_by == "worker"}
    assert {name for name, operation in worker.items() if operation.marker.effect is Effect.TRADES} == TRADES.keys()
    assert {name for name, operation in worker.items() if operation.marker.effect is Effect.READS} == QUERIES.keys()


@pytest.mark.parametrize("tool", ["place_limit_order", "place_market_order", "place_stop_order"])
async def test_an_order_is_rejected_with_the_reason(locked: Bridge, tool: Any) -> None:
    answer = await locked.call(tool, **TRADES[tool], client_order_id="k")
    assert (answer.status, answer.state) == ("REJECTED", OrderState.REJECTED)
    assert answer.message is not None
    assert "READONLY" in answer.message
    assert answer.may_resubmit is False
    assert (answer.order_id, answer.perm_id, answer.filled) == (None, None, None)
    assert answer.client_order_id == "k"
    assert locked.control.ledger() == []


async def test_a_cancel_is_rejected_with_the_reason(locked: Bridge) -> None:
    answer = await locked.call("cancel_order", order_id="perm:12")
    assert (answer.status, answer.perm_id) == ("REJECTED", 12)
    assert answer.message is not None
    assert "READONLY" in answer.message
    assert locked.control.ledger() == []


@pytest.mark.parametrize("tool", TRADES)
async def test_a_job_put_into_redis_by_hand_is_rejected_too(locked: Bridge, tool: str) -> None:
    answer = await locked.put(locked.envelope(tool, arguments=TRADES[tool]))
    assert '"status":"REJECTED"' in answer
    assert "READONLY" in answer
    assert locked.control.ledger() == []


async def test_a_bad_order_is_refused_for_what_is_bad_about_it(locked: Bridge) -> None:
    with pytest.raises(InvalidArgument, match="quantity"):
        await locked.call("place_market_order", **ORDER | {"quantity": -1})


@pytest.mark.parametrize("tool", QUERIES)
async def test_every_query_works(locked: Bridge, tool: str) -> None:
    assert (await locked.text(tool, **QUERIES[tool])).startswith("{")


async def test_the_status_tells_of_the_lock(locked: Bridge) -> None:
    assert locked.worker.status().readonly is True
