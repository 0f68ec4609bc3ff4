"""Fixtures that push a request to the client and wait for its answer: they need a session, and we keep none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastmcp import Context
from mcp_types import SamplingMessage, TextContent


async def test_sampling(prompt: str, ctx: Context) -> str:
    """Ask the client's model."""
    question = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    answer = await ctx.session.create_message([question], max_tokens=100)
    return f"LLM response: {answer.content.text if isinstance(answer.content, TextContent) else answer.content}"


async def _elicit(ctx: Context, message: str, required: list[str], **properties: dict[str, Any]) -> str:
    schema = {"type": "object", "properties": properties, "required": required}
    answer = await ctx.session.elicit_form(message, schema)
    return f"action={answer.action}, content={answer.content}"


async def test_elicitation(message: str, ctx: Context) -> str:
    """Ask the client's user."""
    said = await _elicit(
        ctx,
        message,
        ["username", "email"],
        username={"type": "string", "description": "User's response"},
        email={"type": "string", "description": "User's email address"},
    )
    return f"User response: {said}"


async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Ask the client's user, with a default of every kind."""
    said = await _elicit(
        ctx,
        "Who are you?",
        [],
        name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30},
        score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        verified={"type": "boolean", "default": True},
    )
    return f"Elicitation completed: {said}"


async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """Ask the client's user to choose, in all five ways."""
    options = ["option1", "option2", "option3"]
    titled = [
        {"const": f"value{number}", "title": f"{word} Option"} for number, word in enumerate(("First", "Second"), 1)
    ]
    said = await _elicit(
        ctx,
        "Which?",
        [],
        untitledSingle={"type": "string", "enum": options},
        titledSingle={"type": "string", "oneOf": titled},
        legacyEnum={"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
        untitledMulti={"type": "array", "items": {"type": "string", "enum": options}},
        titledMulti={"type": "array", "items": {"anyOf": titled}},
    )
    return f"Elicitation completed: {said}"


PUSHING: tuple[Callable[..., Any], ...] = (
    test_sampling,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
)
