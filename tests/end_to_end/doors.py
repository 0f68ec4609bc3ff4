"""A door is one client's connection to one frontend. Every library's is used in the same way."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import fastmcp
import mcp
from fastmcp.client.transports import StdioTransport
from mcp_types import CallToolResult, TextContent

from tests.foreign_clients.installing import node_with

from .processes import ROOT

HERE = Path(__file__).parent
PATIENCE = 30.0

Mode = Literal["legacy", "2026-07-28"]
LEGACY: Mode = "legacy"
MODERN: Mode = "2026-07-28"


@dataclass(frozen=True)
class Told:
    """A tool's answer in its two forms."""

    text: str
    structured: dict[str, Any] | None
    is_error: bool


class Door(Protocol):
    """A connection."""

    async def tools(self) -> list[dict[str, Any]]:
        """The tool list, with the names of the wire."""
        ...

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Told:
        """One call; errors are answers."""
        ...


@dataclass(frozen=True)
class Stdio:
    """A frontend that the client starts itself."""

    environment: Mapping[str, str]


Where = str | Stdio
"""An endpoint, or how to start a frontend."""

Knock = Callable[[Where], AbstractAsyncContextManager[Door]]
"""How one kind of client connects."""

_ARGUMENTS = ["-m", "mcp_frontend", "--stdio"]


def _told(content: list[Any], structured: dict[str, Any] | None, is_error: bool) -> Told:
    (block,) = content
    assert isinstance(block, TextContent)
    return Told(block.text, structured, is_error)


class _FastMcpDoor:
    def __init__(self, client: fastmcp.Client[Any]) -> None:
        self._client = client

    async def tools(self) -> list[dict[str, Any]]:
        return [tool.model_dump(mode="json", by_alias=True) for tool in await self._client.list_tools()]

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Told:
        result = await self._client.call_tool(tool, dict(arguments), raise_on_error=False)
        return _told(result.content, result.structured_content, result.is_error)


class _SdkDoor:
    def __init__(self, client: mcp.Client) -> None:
        self._client = client

    async def tools(self) -> list[dict[str, Any]]:
        return [tool.model_dump(mode="json", by_alias=True) for tool in (await self._client.list_tools()).tools]

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Told:
        result = await self._client.call_tool(tool, dict(arguments))
        assert isinstance(result, CallToolResult)
        return _told(result.content, result.structured_content, bool(result.is_error))


class _NodeDoor:
    """npm's clients: their program takes a call a line and answers a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    async def _ask(self, **question: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        async with self._turn, asyncio.timeout(PATIENCE):
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            line = await self._process.stdout.readline()
        assert line, "npm's client ended"
        return json.loads(line)

    async def tools(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = await self._ask()
        return listed

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Told:
        told = await self._ask(name=tool, arguments=arguments)
        (block,) = told["content"]
        return Told(block["text"], told.get("structuredContent"), told.get("isError", False))


def fastmcp_client(mode: Mode) -> Knock:
    """fastmcp's client."""

    @asynccontextmanager
    async def knock(where: Where) -> AsyncIterator[Door]:
        target: Any = where
        if isinstance(where, Stdio):
            target = StdioTransport(sys.executable, _ARGUMENTS, dict(where.environment), str(ROOT), keep_alive=False)
        async with fastmcp.Client(target, mode=mode, timeout=PATIENCE) as client:
            yield _FastMcpDoor(client)

    return knock


def sdk_client(mode: Mode) -> Knock:
    """The plain client of the Python SDK."""

    @asynccontextmanager
    async def knock(where: Where) -> AsyncIterator[Door]:
        target: Any = where
        if isinstance(where, Stdio):
            environment = dict(where.environment)
            target = mcp.StdioServerParameters(command=sys.executable, args=_ARGUMENTS, env=environment, cwd=ROOT)
        async with mcp.Client(target, mode=mode, read_timeout_seconds=PATIENCE) as client:
            yield _SdkDoor(client)

    return knock


def npm_client(package: str, mode: Mode) -> Knock:
    """A client of the TypeScript SDK: `sdk` is its first line, `client` its second, which speaks both generations."""

    @asynccontextmanager
    async def knock(where: Where) -> AsyncIterator[Door]:
        target: dict[str, Any] = {"package": package, "mode": mode, "url": where}
        if isinstance(where, Stdio):
            command = {"command": sys.executable, "args": _ARGUMENTS, "cwd": str(ROOT), "env": dict(where.environment)}
            target |= {"url": None, "stdio": command}
        process = await asyncio.create_subprocess_exec(
            *(str(node_with(HERE)), str(HERE / "npm_client.mjs"), json.dumps(target)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 22,
        )
        try:
            yield _NodeDoor(process)
            assert process.stdin
            process.stdin.close()
            async with asyncio.timeout(PATIENCE):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    return knock


CLIENTS: dict[str, Knock] = {
    "fastmcp-modern": fastmcp_client(MODERN),
    "fastmcp-handshake": fastmcp_client(LEGACY),
    "python-sdk-modern": sdk_client(MODERN),
    "python-sdk-handshake": sdk_client(LEGACY),
    "npm-client-modern": npm_client("client", MODERN),
    "npm-client-handshake": npm_client("client", LEGACY),
    "npm-sdk-handshake": npm_client("sdk", LEGACY),
}
