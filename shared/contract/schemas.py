"""The JSON schemas an agent sees: plain types, no titles, no null unions among the arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]
Node = Schema | list[Any] | str | float | bool | None
"""Any value of JSON."""


def input_schema(models: Iterable[type[BaseModel]]) -> Schema:
    """One flat object of all the models' fields, the required ones first.

    Optional arguments have their plain type and are not required: several hosts fail on ``anyOf`` with null.
    """
    properties: Schema = {}
    required: list[str] = []
    for model in models:
        schema = model.model_json_schema()
        properties |= {name: _plain(field) for name, field in schema.get("properties", {}).items()}
        required += schema.get("required", [])
    ordered = {name: properties[name] for name in required} | properties
    return {"type": "object", "properties": ordered, "required": required, "additionalProperties": False}


def output_schema(model: type[BaseModel]) -> Schema:
    """The answer's schema; a field that may be absent allows null, and every field is always there."""
    schema: Schema = _untitled(model.model_json_schema(mode="serialization"))
    return schema


def _plain(field: Schema) -> Schema:
    field = _untitled(field)
    choices = [choice for choice in field.get("anyOf", []) if choice.get("type") != "null"]
    if len(choices) == 1:
        outer = {key: value for key, value in field.items() if key != "anyOf"}
        field = {**choices[0], **outer}
    if field.get("default", "") in {None, ""}:
        field.pop("default", None)
    return field


def _untitled(node: Node) -> Any:
    """Drop the titles Pydantic derives from names; a property that is itself called title stays."""
    if isinstance(node, list):
        return [_untitled(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: {name: _untitled(field) for name, field in value.items()} if key == "properties" else _untitled(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str))
    }
