"""What an agent sees before it calls anything.

The snapshot is written anew by ``python -m tests.frontend.test_tool_list > tests/frontend/tool_list.json``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from mcp_frontend.bootstrap import build
from mcp_frontend.settings import FrontendSettings
from shared.contract import OPERATIONS, TOOLSETS
from tests.frontend.conftest import LEGACY, MODERN, Mode, Served, serve

SNAPSHOT = Path(__file__).with_name("tool_list.json")


async def listed(client: Client[Any]) -> list[dict[str, Any]]:
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in await client.list_tools()]


async def taken() -> str:
    async with Client(build(FrontendSettings(redis_url="redis://127.0.0.1:1/0")).server) as client:
        return json.dumps(await listed(client), indent=1, ensure_ascii=False)


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_the_tool_list_is_the_committed_one(served: Served, mode: Mode) -> None:
    async with served.client(mode=mode) as client:
        assert await listed(client) == json.loads(SNAPSHOT.read_text())


async def test_every_operation_of_the_contract_is_a_tool_in_the_contracts_order(served: Served) -> None:
    async with served.client() as client:
        assert [tool.name for tool in await client.list_tools()] == list(OPERATIONS)


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    if isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


async def test_no_input_schema_has_a_null_a_union_a_reference_or_an_open_end(served: Served) -> None:
    async with served.client() as client:
        for tool in await client.list_tools():
            assert tool.input_schema["additionalProperties"] is False
            for node in nodes(tool.input_schema):
                assert not {"anyOf", "oneOf", "allOf", "$ref", "$defs"} & set(node), tool.name
                assert node.get("type") != "null"
                assert node.get("default", "") is not None


async def test_every_argument_and_every_field_of_an_answer_is_described(served: Served) -> None:
    async with served.client() as client:
        for tool in await client.list_tools():
            assert tool.description
            for name, field in tool.input_schema["properties"].items():
                assert field.get("description"), f"{tool.name}.{name}"
            assert tool.output_schema is not None
            for name, field in tool.output_schema["properties"].items():
                assert field.get("description"), f"{tool.name}.{name}"


async def test_hosts_are_told_which_tools_only_read_and_which_can_cost_money(served: Served) -> None:
    async with served.client() as client:
        tools = {tool.name: tool for tool in await client.list_tools()}
    trading = {"place_limit_order", "place_market_order", "place_stop_order", "cancel_order", "modify_order"}
    idempotent = {"cancel_order", "modify_order"}
    for name, tool in tools.items():
        hints = tool.annotations
        assert hints is not None
        assert hints.read_only_hint is (name not in trading)
        assert hints.destructive_hint is (name in trading)
        assert hints.idempotent_hint is (name not in trading - idempotent)
        assert hints.open_world_hint is (name not in {"get_status", "get_order", "wait_for_order"})
        assert hints.title == tool.title


async def test_the_scope_of_a_tool_is_its_tag(served: Served) -> None:
    async with served.client() as client:
        tags = {tool.name: (tool.meta or {})["fastmcp"]["tags"] for tool in await client.list_tools()}
    assert tags["get_positions"] == ["read"]
    assert tags["cancel_order"] == ["trade"]


async def test_switched_off_areas_are_neither_listed_nor_called(valkey: str) -> None:
    async with serve(valkey, toolsets="accounts, status") as served:
        async with served.client() as client:
            assert [tool.name for tool in await client.list_tools()] == [
                "get_account_summary", "get_positions", "get_pnl", "get_status",
            ]  # fmt: skip
        result = await served.call("place_market_order", {"symbol": "AAPL"})
        assert result.is_error


def test_an_unknown_area_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="accounts, orders, market_data, contracts, status; weather is none of them"):
        FrontendSettings.model_validate({"toolsets": "accounts,weather"})
    assert FrontendSettings.model_validate({"toolsets": ",".join(t.toolset for t in TOOLSETS)})


if __name__ == "__main__":
    print(asyncio.run(taken()))
