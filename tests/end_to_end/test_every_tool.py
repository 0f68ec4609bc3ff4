"""All tools, by every client, through two frontends at once and one worker, and over standard input and output."""

from __future__ import annotations

import pytest

from .doors import CLIENTS, Stdio
from .house import House
from .story import Story, every_tool


@pytest.mark.parametrize("client", CLIENTS)
async def test_every_tool_is_called_through_two_frontends_by_turns(house: House, client: str) -> None:
    first, second = house.endpoints
    async with CLIENTS[client](first) as one, CLIENTS[client](second) as two:
        await every_tool(await Story.begun(one, two), client)


@pytest.mark.parametrize(
    "client", ["fastmcp-handshake", "python-sdk-modern", "npm-client-modern", "npm-sdk-handshake"]
)
async def test_every_tool_is_called_over_stdio_beside_a_frontend(house: House, client: str) -> None:
    knock = CLIENTS[client]
    async with knock(Stdio(house.environment)) as desktop, knock(house.endpoints[0]) as web:
        await every_tool(await Story.begun(desktop, web), f"{client}-stdio")
