"""The tools, resources and prompts that the official suite expects of a server under test, as the suite describes them.

The texts are the suite's own: it compares them. What asks for input does so in its answer; ``pushing`` has the tools
that push a request to the client instead, which a stateless server cannot do.
"""

from __future__ import annotations

import asyncio
import io
import json
import struct
import wave
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.prompts import Message, PromptResult
from fastmcp.tools.base import Tool
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    ImageContent,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)

from mcp_frontend.server import build_server

from .pushing import PUSHING

TICK = 0.05
"""Seconds between two notifications of one call, as the suite asks for."""


def fixture_server() -> FastMCP[Any]:
    """A server of our own making with the suite's fixtures instead of our tools."""
    server = build_server("conformance", [Tool.from_function(tool) for tool in TOOLS])
    server.completion(complete)
    server.resource("test://static-text", mime_type="text/plain")(static_text)
    server.resource("test://static-binary", mime_type="image/png")(static_binary)
    server.resource("test://watched-resource", mime_type="text/plain")(watched_resource)
    server.resource("test://template/{id}/data", mime_type="application/json")(template)
    for prompt in PROMPTS:
        server.prompt(prompt)
    return server


# --- content


def _png() -> bytes:
    """One red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\x00\xff\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def _wav() -> bytes:
    """A hundredth of a second of silence."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * 80)
    return buffer.getvalue()


def _image() -> ImageContent:
    return ImageContent(type="image", data=b64encode(_png()).decode(), mime_type="image/png")


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _resource(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


def test_simple_text() -> TextContent:
    """Return a text."""
    return _text("This is a simple text response for testing.")


def test_image_content() -> ImageContent:
    """Return an image."""
    return _image()


def test_audio_content() -> AudioContent:
    """Return a sound."""
    return AudioContent(type="audio", data=b64encode(_wav()).decode(), mime_type="audio/wav")


def test_embedded_resource() -> EmbeddedResource:
    """Return a resource."""
    return _resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")


def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """Return one of each."""
    data = json.dumps({"test": "data", "value": 123})
    return [
        _text("Multiple content types test:"),
        _image(),
        _resource("test://mixed-content-resource", "application/json", data),
    ]


def test_error_handling() -> str:
    """Fail."""
    raise ToolError("This tool intentionally returns an error for testing")


# --- notifications


async def test_tool_with_logging(ctx: Context) -> str:
    """Log three times."""
    await ctx.info("Tool execution started")
    await asyncio.sleep(TICK)
    await ctx.info("Tool processing data")
    await asyncio.sleep(TICK)
    await ctx.info("Tool execution completed")
    return "logged"


async def test_logging_tool(ctx: Context) -> str:
    """Log once, for callers that want it."""
    await ctx.info("a line")
    return "logged"


async def test_tool_with_progress(ctx: Context) -> str:
    """Report 0, 50 and 100 of 100."""
    for progress in (0, 50, 100):
        await ctx.report_progress(progress, 100)
        await asyncio.sleep(TICK)
    return "done"


# --- input asked for by the answer: the client calls again with what was asked


def _ask(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(text: str, tokens: int) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=_text(text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=tokens))


def _need(requests: Mapping[str, InputRequest], state: str | None = None) -> InputRequiredResult:
    return InputRequiredResult(input_requests=dict(requests), request_state=state)


def _accepted(ctx: Context, key: str) -> dict[str, Any] | None:
    """What the user entered; None where nothing of that name came."""
    answer = (ctx.input_responses or {}).get(key)
    return answer.content if isinstance(answer, ElicitResult) and answer.action == "accept" else None


def test_input_required_result_elicitation(ctx: Context) -> TextContent | InputRequiredResult:
    """Ask for a name."""
    entered = _accepted(ctx, "user_name")
    if entered is None or not isinstance(entered.get("name"), str):
        return _need({"user_name": _ask("What is your name?", "name")})
    return _text(f"Hello, {entered['name']}!")


def test_input_required_result_sampling(ctx: Context) -> TextContent | InputRequiredResult:
    """Ask the client's model for a capital."""
    answer = (ctx.input_responses or {}).get("capital_question")
    if not isinstance(answer, CreateMessageResult):
        return _need({"capital_question": _sample("What is the capital of France?", 100)})
    return _text(answer.content.text if isinstance(answer.content, TextContent) else "no text")


def test_input_required_result_list_roots(ctx: Context) -> TextContent | InputRequiredResult:
    """Ask for the client's roots."""
    answer = (ctx.input_responses or {}).get("client_roots")
    if not isinstance(answer, ListRootsResult):
        return _need({"client_roots": ListRootsRequest()})
    return _text(", ".join(str(root.uri) for root in answer.roots))


def test_input_required_result_request_state(ctx: Context) -> TextContent | InputRequiredResult:
    """Ask, and know the question again."""
    if _accepted(ctx, "confirm") is None or ctx.request_state != "asked":
        return _need({"confirm": _ask("Please confirm", "ok", "boolean")}, "asked")
    return _text("state-ok")


def test_input_required_result_tampered_state(ctx: Context) -> TextContent | InputRequiredResult:
    """Ask, with a state that nobody may change."""
    return test_input_required_result_request_state(ctx)


def test_input_required_result_multiple_inputs(ctx: Context) -> TextContent | InputRequiredResult:
    """Ask for three things at once."""
    needed: dict[str, InputRequest] = {
        "user_name": _ask("What is your name?", "name"),
        "greeting": _sample("Generate a greeting", 50),
        "client_roots": ListRootsRequest(),
    }
    if needed.keys() - (ctx.input_responses or {}).keys() or ctx.request_state != "asked":
        return _need(needed, "asked")
    return _text("all there")


def test_input_required_result_multi_round(ctx: Context) -> TextContent | InputRequiredResult:
    """Ask, and ask again."""
    if ctx.request_state == "second" and _accepted(ctx, "step2") is not None:
        return _text("both there")
    if ctx.request_state == "first" and _accepted(ctx, "step1") is not None:
        return _need({"step2": _ask("Step 2: What is your favorite color?", "color")}, "second")
    return _need({"step1": _ask("Step 1: What is your name?", "name")}, "first")


def test_input_required_result_capabilities(ctx: Context) -> TextContent | InputRequiredResult:
    """Ask only for what the client says it can do."""
    can = ctx.session.client_capabilities
    possible: dict[str, InputRequest] = {}
    if can and can.elicitation:
        possible["user_name"] = _ask("What is your name?", "name")
    if can and can.sampling:
        possible["greeting"] = _sample("Generate a greeting", 50)
    return _need(possible) if possible else _text("the client can do nothing")


def test_streaming_elicitation(ctx: Context) -> TextContent | InputRequiredResult:
    """Ask over a stream."""
    return test_input_required_result_elicitation(ctx)


def test_missing_capability(ctx: Context) -> str:
    """Refuse a client that cannot sample."""
    can = ctx.session.client_capabilities
    if not can or not can.sampling:
        raise MCPError(
            code=MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="this tool needs a client that can sample",
            data={"requiredCapabilities": {"sampling": {}}},
        )
    return "the client can sample"


TOOLS: tuple[Callable[..., Any], ...] = (
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_error_handling,
    test_tool_with_logging,
    test_logging_tool,
    test_tool_with_progress,
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_tampered_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_capabilities,
    test_streaming_elicitation,
    test_missing_capability,
    *PUSHING,
)


# --- resources


def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


def static_binary() -> bytes:
    """An image."""
    return _png()


def watched_resource() -> str:
    """A text that clients may want to watch."""
    return "watched"


def template(id: str) -> str:  # noqa: A002 - the suite's name for it
    """A text with a number in it."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


# --- prompts


def test_simple_prompt() -> str:
    """A prompt."""
    return "This is a simple prompt for testing."


def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """A prompt with two holes."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


def test_prompt_with_embedded_resource(resourceUri: str) -> PromptResult:  # noqa: N803 - the suite's name for it
    """A prompt around a resource."""
    resource = _resource(resourceUri, "text/plain", "Embedded resource content for testing.")
    return PromptResult([Message(resource), Message("Please process the embedded resource above.")])


def test_prompt_with_image() -> PromptResult:
    """A prompt around an image."""
    return PromptResult([Message(_image()), Message("Please analyze the image above.")])


def test_input_required_result_prompt(ctx: Context) -> str | InputRequiredResult:
    """A prompt that asks first."""
    entered = _accepted(ctx, "user_context")
    if entered is None:
        return _need({"user_context": _ask("What context should the prompt use?", "context")})
    return f"In the context of {entered.get('context')}"


PROMPTS: tuple[Callable[..., Any], ...] = (
    test_simple_prompt,
    test_prompt_with_arguments,
    test_prompt_with_embedded_resource,
    test_prompt_with_image,
    test_input_required_result_prompt,
)


def complete(*_: object) -> Completion:
    """Suggest three words."""
    return Completion(values=["paris", "park", "party"])
