"""Whether a class implements its part of the contract: what type checkers see, checked again when a process starts."""

from __future__ import annotations

import inspect
from typing import Any

from shared.contract.operation import Toolset, operations_of


def check_handler(handler: Toolset, toolset: type[Toolset]) -> list[str]:
    """Every way in which the handler differs from the area it implements; empty where it fits."""
    if not isinstance(handler, toolset):
        return [f"{type(handler).__name__} does not implement {toolset.__name__}"]
    return [
        mistake
        for operation in operations_of(toolset)
        if (mistake := _difference(operation.name, getattr(toolset, operation.name), getattr(handler, operation.name)))
    ]


def _difference(name: str, declared: Any, implemented: Any) -> str | None:
    wanted = list(inspect.signature(declared).parameters.values())[1:]
    if not inspect.iscoroutinefunction(implemented):
        return f"{name} is not an async method"
    found = list(inspect.signature(implemented).parameters.values())
    if [_shape(parameter) for parameter in found] != [_shape(parameter) for parameter in wanted]:
        return f"{name} takes ({_listed(found)}) where the contract says ({_listed(wanted)})"
    return None


def _shape(parameter: inspect.Parameter) -> tuple[str, Any, Any]:
    return parameter.name, parameter.kind, parameter.default


def _listed(parameters: list[inspect.Parameter]) -> str:
    return ", ".join(parameter.name for parameter in parameters)
