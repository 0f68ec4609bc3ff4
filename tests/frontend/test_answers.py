"""Every tool, called by the clients people use, over both generations of the protocol."""

from __future__ import annotations

import json
from typing import Any

import mcp
import pytest
from mcp_types import CallToolResult, TextContent

from shared.contract import OPERATIONS
from tests.frontend.conftest import (
    LEGACY,
    MODERN,
    Mode,
    Served,
    content_of,
    modern_call,
    modern_headers,
    serve,
    text_of,
)
from tests.frontend.standin import StandInWorker, stand_in_worker

ORDER = {"symbol": "AAPL", "action": "buy", "quantity": "5", "client_order_id": "mine-1"}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "get_account_summary": {"account": None},
    "get_positions": {},
    "get_orders": {"account": "du1234567"},
    "get_stock_price": {"symbol": "aapl", "con_id": "265598", "primary_exchange": None},
    "get_historical_data": {"symbol": "AAPL", "duration": "2 days", "bar_size": "5min", "use_rth": "false"},
    "get_option_chain": {"symbol": "AAPL", "expiration": 20261218},
    "place_limit_order": {**ORDER, "limit_price": "101.50"},
    "place_market_order": ORDER,
    "place_stop_order": {**ORDER, "stop_price": 99},
    "cancel_order": {"order_id": 7},
    "search_contracts": {"pattern": "App"},
    "get_status": {},
    "get_pnl": {"con_id": "265598"},
    "get_contract_details": {"symbol": "ES", "sec_type": "fut", "expiry": 202612},
    "get_quotes": {"symbols": "AAPL,msft"},
    "get_option_quotes": {"symbol": "AAPL", "expiration": "2026-12-18", "right": "call"},
    "modify_order": {"order": "7", "quantity": 6},
    "get_executions": {},
    "get_order": {"order": "never-placed"},
    "wait_for_order": {"order": "never-placed"},
}
"""A call of each tool as agents write them: numbers as strings, nulls, lower case."""


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_every_tool_answers_the_same_in_text_and_structure_through_fastmcps_client(
    served: Served, worker: StandInWorker, mode: Mode
) -> None:
    async with served.client(mode=mode) as client:
        for name in OPERATIONS:
            result = await client.call_tool(name, ARGUMENTS[name])
            assert json.loads(text_of(result)) == content_of(result)
            assert "E-" not in text_of(result)
    by_worker = {name for name, operation in OPERATIONS.items() if operation.marker.answered_by == "worker"}
    assert {envelope.operation for envelope in worker.envelopes} == by_worker


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_every_tool_answers_by_its_output_schema_through_the_plain_sdk_client(
    served: Served, worker: StandInWorker, mode: Mode
) -> None:
    async with mcp.Client(served.endpoint, mode=mode) as client:
        await client.list_tools()  # with the schemas known, the client checks every answer against them
        for name in OPERATIONS:
            result = await client.call_tool(name, ARGUMENTS[name])
            assert isinstance(result, CallToolResult)
            assert not result.is_error
            (block,) = result.content
            assert isinstance(block, TextContent)
            assert json.loads(block.text) == result.structured_content


async def test_the_worker_gets_the_clients_own_arguments_without_the_nulls(
    served: Served, worker: StandInWorker
) -> None:
    await served.call("get_stock_price", {"symbol": "aapl", "con_id": None, "sec_type": "stk"})
    (envelope,) = worker.envelopes
    assert envelope.arguments == {"symbol": "aapl", "sec_type": "stk"}
    assert envelope.caller == "local"
    assert {scope.value for scope in envelope.scopes} == {"read", "preview", "trade"}


async def test_an_answer_says_how_a_symbol_was_read(served: Served, worker: StandInWorker) -> None:
    answer = content_of(await served.call("get_stock_price", {"symbol": "BRK.B"}))
    assert (answer["symbol"], answer["note"]) == ("BRK B", "BRK.B is written 'BRK B' at IBKR")


async def test_two_frontends_at_once_share_one_worker(valkey: str) -> None:
    async with stand_in_worker(valkey) as worker, serve(valkey) as one, serve(valkey) as other:
        async with one.client() as left, other.client() as right:
            for _ in range(5):
                for client in (left, right):
                    assert content_of(await client.call_tool("get_positions"))["count"] == 1
        assert len({envelope.reply_to for envelope in worker.envelopes}) == 2


async def test_a_modern_call_reads_the_schema_from_the_hook_and_lists_no_tools(
    served: Served, worker: StandInWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdk = served.frontend.server._mcp_server
    hook = sdk.get_tool_input_schema
    assert hook is not None
    assert hook("get_positions") == OPERATIONS["get_positions"].input_schema
    asked: list[str] = []

    def watched(name: str) -> Any:
        asked.append(name)
        return hook(name)

    async def never(*_: object) -> Any:
        raise AssertionError("the tools were listed")

    monkeypatch.setattr(sdk, "get_tool_input_schema", watched)
    monkeypatch.setattr(served.frontend.server, "list_tools", never)
    response = await served.post(
        modern_call("get_positions", {"account": "DU1234567"}), **modern_headers("get_positions")
    )
    assert response.json()["result"]["structuredContent"]["count"] == 1
    assert asked == ["get_positions"]
