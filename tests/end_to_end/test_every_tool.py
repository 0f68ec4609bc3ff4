"""All tools, by every client, through two frontends at once and one worker, and over standard input and output."""

from __future__ import annotations

import pytest

from tests.foreign_clients.installing import node_with

from .doors import CLIENTS, HERE, Stdio
from .house import House
from .story import Story, every_tool

STDIO = ["python-sdk-modern", "npm-sdk-handshake"]


@pytest.fixture
def client(request: pytest.FixtureRequest) -> str:
    """The name of a client that is installed."""
    name: str = request.param
    if name.startswith("npm"):
        node_with(HERE)
    return name


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
async def test_every_tool_is_called_through_two_frontends_by_turns(house: House, client: str) -> None:
    first, second = house.endpoints
    async with CLIENTS[client](first) as one, CLIENTS[client](second) as two:
        await every_tool(await Story.begun(one, two), client)


@pytest.mark.parametrize("client", STDIO, indirect=True)
async def test_every_tool_is_called_over_stdio_beside_a_frontend(house: House, client: str) -> None:
    knock = CLIENTS[client]
    async with knock(Stdio(house.environment)) as desktop, knock(house.endpoints[0]) as web:
        await every_tool(await Story.begun(desktop, web), f"{client}-stdio")
