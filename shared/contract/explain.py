"""Pydantic's validation errors in the words of this project: no links, no library names, values cut short."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from shared.errors import InvalidArgument

_SHOWN = 40
"""Characters of a wrong value that are repeated back."""

SHAPES: Final = {
    r"^[A-Z][A-Z0-9]{3,15}$": "an account number, such as U1234567; leave it out for all, or for the only one",
    r"^[A-Za-z0-9._-]*[A-Za-z][A-Za-z0-9._-]*$": "letters, digits, dots, dashes and underlines, at least one a letter",
    r"^\d{4}-?\d{2}-?\d{2}$": "a date, such as 2026-12-18",
    r"^\d{4}-?\d{2}(-?\d{2})?$": "a date or a month, such as 2026-12-18 or 2026-12",
    r"^[A-Z]{3,5}$": "a currency, such as USD",
}
"""What the patterns of the contract mean."""

Context = dict[str, Any]
_PHRASES: dict[str, Callable[[Context], str]] = {
    "missing": lambda _: "is required",
    "extra_forbidden": lambda _: "is not an argument of this tool",
    "literal_error": lambda ctx: f"must be one of {ctx['expected']}".replace("'", ""),
    "greater_than": lambda ctx: f"must be greater than {ctx['gt']}",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']}",
    "less_than": lambda ctx: f"must be less than {ctx['lt']}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']}",
    "finite_number": lambda _: "must be a finite number",
    "decimal_parsing": lambda _: "must be a number",
    "decimal_type": lambda _: "must be a number",
    "decimal_max_places": lambda ctx: f"must have at most {ctx['decimal_places']} decimal places",
    "int_parsing": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "int_type": lambda _: "must be a whole number",
    "bool_parsing": lambda _: "must be true or false",
    "bool_type": lambda _: "must be true or false",
    "string_type": lambda _: "must be text",
    "string_too_long": lambda ctx: f"must have at most {ctx['max_length']} characters",
    "string_too_short": lambda _: "must not be empty",
    "too_long": lambda ctx: f"must have at most {ctx['max_length']} characters",
    "too_short": lambda _: "must not be empty",
    "string_pattern_mismatch": lambda ctx: f"must {_shape(ctx['pattern'])}",
    "value_error": lambda ctx: str(ctx["error"]),
}


def argument_errors(error: ValidationError) -> list[str]:
    """One clause for each mistake: the argument, what is wrong with it, and what was given."""
    return [_clause(detail) for detail in error.errors(include_url=False)]


def invalid(mistakes: Iterable[str], action: str | None = None) -> InvalidArgument:
    """The error that names every mistake of a call at once."""
    return InvalidArgument("; ".join(mistakes), action=action)


def _clause(detail: ErrorDetails) -> str:
    name = ".".join(str(part) for part in detail["loc"])
    phrase = _PHRASES.get(detail["type"])
    text = phrase(detail.get("ctx", {})) if phrase else detail["msg"][:1].lower() + detail["msg"][1:]
    if detail["type"] in {"missing", "extra_forbidden"} or not name:
        return f"{name} {text}".strip()
    return f"{name} {text} (got {_short(detail['input'])})"


def _shape(pattern: str) -> str:
    return f"be {SHAPES[pattern]}" if pattern in SHAPES else f"match {pattern}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
