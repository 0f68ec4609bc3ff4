"""The demo's own MCP client: one POST for one tool call, by the standard library, so that the demo starts quickly."""

from __future__ import annotations

import asyncio
import http.client
import json
from typing import Any, cast

_SECONDS = 10.0


class Endpoint:
    """One frontend, as a client sees it."""

    def __init__(self, host: str, port: int) -> None:
        self._address = ({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)  # noqa: S104 - not listening
        shown = f"[{self._address[0]}]" if ":" in self._address[0] else self._address[0]
        self.url = f"http://{shown}:{port}/mcp"

    async def call(self, tool: str, **arguments: object) -> dict[str, Any] | None:
        """A tool's answer; None where there is none, or an error, for now."""
        return await asyncio.to_thread(self._call, tool, arguments)

    def _call(self, tool: str, arguments: dict[str, object]) -> dict[str, Any] | None:
        request = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": arguments},
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        connection = http.client.HTTPConnection(*self._address, timeout=_SECONDS)
        try:
            connection.request("POST", "/mcp", json.dumps(request), headers)
            return _answer(connection.getresponse().read().decode())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def _answer(body: str) -> dict[str, Any] | None:
    """The structured answer in a JSON body; None for any other."""
    try:
        result = json.loads(body)["result"]
        return None if result.get("isError") else cast("dict[str, Any]", result["structuredContent"])
    except (ValueError, KeyError, TypeError):
        return None
