from __future__ import annotations

import json

from mcp_types import TextContent

from tests.frontend.conftest import Served
from tests.frontend.standin import StandInWorker


async def test_a_call_is_answered_by_the_worker(served: Served, worker: StandInWorker) -> None:
    async with served.client() as client:
        tools = await client.list_tools()
        assert len(tools) == 12
        result = await client.call_tool("get_stock_price", {"symbol": "aapl", "con_id": None})
        text = result.content[0]
        assert isinstance(text, TextContent)
        print(text.text)
        assert json.loads(text.text) == result.structured_content
