"""The real application on a real socket, against a real Valkey."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.client import CallToolResult
from mcp_types import TextContent

from mcp_frontend.bootstrap import Frontend, build
from mcp_frontend.callers import Identify
from mcp_frontend.http import HttpServer, listen
from mcp_frontend.settings import FrontendSettings
from tests.frontend.standin import SECRET, StandInWorker, stand_in_worker

MODERN, LEGACY = "2026-07-28", "legacy"
Mode = Literal["legacy", "2026-07-28"]

HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def legacy_call(tool: str, arguments: object) -> dict[str, Any]:
    """A call as clients of the handshake generations send it."""
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def modern_call(tool: str, arguments: object) -> dict[str, Any]:
    """A call as clients of the stateless generation send it."""
    call = legacy_call(tool, arguments)
    call["params"]["_meta"] = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return call


def modern_headers(tool: str) -> dict[str, str]:
    """The headers that go with it."""
    return {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": tool}


@dataclass(frozen=True)
class Served:
    """A frontend that listens."""

    frontend: Frontend
    url: str
    server: HttpServer

    @property
    def endpoint(self) -> str:
        return f"{self.url}/mcp"

    def client(self, **options: Any) -> Client[Any]:
        return Client(self.endpoint, verify=False, **options)  # plain HTTP: no certificates to load

    async def post(self, body: object, **headers: str) -> httpx2.Response:
        """Send a body as it is; anything but text is sent as JSON."""
        content = body if isinstance(body, str) else json.dumps(body)
        async with httpx2.AsyncClient(verify=False) as http:
            return await http.post(self.endpoint, content=content, headers=HEADERS | headers)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        async with httpx2.AsyncClient(verify=False) as http:
            return await http.get(self.url + path, headers=headers)

    async def call(self, tool: str, arguments: Mapping[str, Any] | None = None) -> CallToolResult:
        """One call by a client of its own; errors are answers."""
        async with self.client() as client:
            result: CallToolResult = await client.call_tool(tool, dict(arguments or {}), raise_on_error=False)
            return result


def text_of(result: CallToolResult) -> str:
    """The one text of an answer."""
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


def content_of(result: CallToolResult) -> dict[str, Any]:
    """The structured answer of a call that succeeded."""
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content


@asynccontextmanager
async def serve(redis_url: str, identify: Identify | None = None, **changes: Any) -> AsyncIterator[Served]:
    """A frontend with these settings, until the block ends."""
    settings = FrontendSettings(redis_url=redis_url, job_signing_secret=SECRET, **changes)
    frontend = build(settings, identify)
    listening = listen("127.0.0.1", 0)
    server = HttpServer(frontend.app, grace=5, notice=settings.shutdown_notice_seconds, stopping=frontend.stopping)
    async with frontend.running():
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield Served(frontend, f"http://127.0.0.1:{listening.getsockname()[1]}", server)
        finally:
            server.stop()
            with suppress(asyncio.CancelledError):
                await serving


@pytest.fixture
async def worker(valkey: str) -> AsyncIterator[StandInWorker]:
    """A stand-in worker that serves."""
    async with stand_in_worker(valkey) as stand_in:
        yield stand_in


@pytest.fixture
async def served(valkey: str) -> AsyncIterator[Served]:
    """A frontend with the usual settings."""
    async with serve(valkey) as one:
        yield one


@pytest.fixture
async def readonly(valkey: str) -> AsyncIterator[Served]:
    """A frontend under READONLY."""
    async with serve(valkey, readonly=True) as one:
        yield one
