"""The contract's operations as MCP tools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastmcp.server.dependencies import get_context
from fastmcp.tools.base import Tool, ToolResult
from fastmcp.utilities.json_schema import dereference_refs
from mcp_types import TextContent, ToolAnnotations
from pydantic import PrivateAttr

from mcp_frontend.calls import Calls
from mcp_frontend.errors import line
from mcp_frontend.progress import Progress
from shared.contract import Effect, Operation
from shared.errors import BridgeError


class BridgeTool(Tool):
    """One operation of the contract; its schemas are the contract's own."""

    _operation: Operation = PrivateAttr()
    _calls: Calls = PrivateAttr()

    @classmethod
    def of(cls, operation: Operation, calls: Calls) -> BridgeTool:
        """The tool for an operation."""
        tool = cls(
            name=operation.name,
            title=operation.title,
            description=operation.description,
            parameters=operation.input_schema,
            output_schema=dereference_refs(operation.output_schema),  # some hosts follow no references
            annotations=hints(operation),
            tags={operation.marker.effect.scope.value},
        )
        tool._operation = operation
        tool._calls = calls
        return tool

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Answer the call; an error is an answer too."""
        async with Progress(self.name, get_context().report_progress).beating() as progress:
            try:
                reply = await self._calls.answer(self._operation, arguments, progress.say)
            except BridgeError as error:
                return error_result(error)
        return ToolResult(content=[_text(reply.text)], structured_content=dict(reply.structured))


def hints(operation: Operation) -> ToolAnnotations:
    """What hosts decide by whether to ask their user; hints, never enforcement."""
    marker = operation.marker
    return ToolAnnotations(
        title=operation.title,
        read_only_hint=marker.effect is not Effect.TRADES,
        destructive_hint=marker.destructive,
        idempotent_hint=marker.idempotent,
        open_world_hint=marker.answered_by == "worker",
    )


def bridge_tools(operations: Iterable[Operation], calls: Calls) -> list[BridgeTool]:
    """The tools for the operations, in their order."""
    return [BridgeTool.of(operation, calls) for operation in operations]


def error_result(error: BridgeError) -> ToolResult:
    """An error as a tool's answer, so that the agent reads it."""
    return ToolResult(content=[_text(line(error))], is_error=True)


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)
