"""Errors that arise before any tool is reached, in our own words. The wire library's own are bare or name its parts."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, TextContent
from pydantic import ValidationError

from mcp_frontend.errors import line, seen_by_client
from shared.contract.call import new_request_id
from shared.errors import BridgeError, InvalidArgument

log = logging.getLogger(__name__)


class CleanErrors:
    """The outermost step of every request on every transport: our words, and each caller's own tools."""

    def __init__(self, tools: Iterable[str], shown: Callable[[str], bool] | None = None) -> None:
        self._tools = tuple(tools)
        self._shown = shown

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve one message; whatever goes wrong comes out in our words."""
        try:
            if ctx.method == "tools/call":
                self._check(ctx.params)
            result = await call_next(ctx)
            return self._permitted(result) if ctx.method == "tools/list" else result
        except BridgeError as error:
            return CallToolResult(content=[TextContent(type="text", text=line(error))], is_error=True)
        except MCPError:
            raise
        except ValidationError:
            malformed = InvalidArgument(
                f"the parameters of {ctx.method} are malformed", action="send what the MCP specification describes"
            )
            raise MCPError(code=INVALID_PARAMS, message=line(malformed)) from None
        except Exception as error:
            request_id = new_request_id()
            log.exception("%s failed", ctx.method, extra={"request_id": request_id})
            raise MCPError(code=INTERNAL_ERROR, message=line(seen_by_client(error, request_id))) from None

    def _permitted(self, listed: HandlerResult) -> HandlerResult:
        """The list without the tools that this caller's scopes do not cover; calling one is refused by name."""
        if self._shown is None:
            return listed
        if not isinstance(listed, dict):
            raise TypeError("the SDK no longer hands on a list as the mapping that it sends")
        return {**listed, "tools": [tool for tool in listed["tools"] if self._shown(tool["name"])]}

    def _check(self, params: Mapping[str, Any] | None) -> None:
        """Return if a tool of ours is called with an object; raises ``InvalidArgument``."""
        name: object = (params or {}).get("name")
        if not isinstance(name, str):
            raise InvalidArgument("tools/call needs the name of a tool", action="call tools/list for the names")
        if name not in self._tools:
            near = difflib.get_close_matches(name[:80], self._tools, n=1)
            action = f"call {near[0]}" if near else f"use one of {', '.join(self._tools)}"
            raise InvalidArgument(f"there is no tool {name[:80]!r}", action=action)
        arguments = (params or {}).get("arguments")
        if arguments is not None and not isinstance(arguments, dict):
            kind = (
                "a list" if isinstance(arguments, list) else "text" if isinstance(arguments, str) else "a plain value"
            )
            raise InvalidArgument(
                f"the arguments of {name} came as {kind}", action='send one JSON object, such as {"symbol": "AAPL"}'
            )
