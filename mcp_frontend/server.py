"""The MCP server: the tools, and what every transport of it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fastmcp import FastMCP
from fastmcp.server.auth import AuthProvider
from fastmcp.tools.base import Tool

from mcp_frontend.guard import CleanErrors
from shared import VERSION

INSTRUCTIONS = """\
Interactive Brokers accounts, market data and orders.
get_status says whether the bridge is ready, in which mode, and lists the accounts. search_contracts finds a con_id, \
which names any contract exactly. An error is one line: CODE: fact. Do: action. Retry: when.
An order's answer has state, may_resubmit and next_step: follow next_step. Give each order a client_order_id of your \
own; repeating a call with it never places a second order."""


def build_server(
    name: str, tools: Iterable[Tool], shown: Callable[[str], bool] | None = None, guarded: AuthProvider | None = None
) -> FastMCP[Any]:
    """A server that offers the tools; ``shown`` tells whether one is listed for the caller of the present request."""
    offered = list(tools)
    server: FastMCP[Any] = FastMCP(
        name,
        instructions=INSTRUCTIONS,
        version=VERSION,
        tools=offered,
        auth=guarded,
        mask_error_details=True,
        on_duplicate="error",
        dereference_schemas=False,  # done once for each tool, not for each listing
    )
    # FastMCP has no public door to the two settings of the SDK server beneath it.
    sdk = server._mcp_server  # pyright: ignore[reportPrivateUsage]
    # Without this, each call at revision 2026-07-28 lists every tool first, at five times the cost of the call.
    sdk.get_tool_input_schema = {tool.name: tool.parameters for tool in offered}.get
    sdk.middleware.insert(0, CleanErrors((tool.name for tool in offered), shown))
    return server
