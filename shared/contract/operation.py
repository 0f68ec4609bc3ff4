"""How a method of the contract becomes a tool: its marker, its arguments, its schemas.

An area class (a *toolset*) declares abstract async methods. Each bears one marker, ``@reads``, ``@previews`` or
``@trades``, and takes ``call: Call`` first; what follows are the tool's arguments. A parameter whose type is an
``ArgumentGroup`` is spread flat over the tool's arguments.
"""

from __future__ import annotations

import inspect
import re
from abc import ABC
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeVar, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from shared.contract import schemas
from shared.contract.arguments import ArgumentGroup
from shared.contract.call import Call, Scope
from shared.contract.explain import argument_errors, invalid

PATIENCE = 25.0
"""Seconds within which every call is answered: hosts give up at about 60, some despite progress."""

Method = TypeVar("Method", bound=Callable[..., Any])


class Effect(StrEnum):
    """What a tool does to the account."""

    READS = "reads"
    PREVIEWS = "previews"
    TRADES = "trades"

    @property
    def scope(self) -> Scope:
        """The scope a caller needs."""
        return _SCOPES[self]


_SCOPES = {Effect.READS: Scope.READ, Effect.PREVIEWS: Scope.PREVIEW, Effect.TRADES: Scope.TRADE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What a method's decorator says of it."""

    effect: Effect
    answered_by: Literal["worker", "frontend"]
    time_limit: float
    """Seconds until nobody waits any more, at most ``PATIENCE``."""
    share_for: float = 0.0
    """Seconds a finished answer stays true for anybody who may ask the same; 0: never shared."""
    idempotent: bool = True
    """Whether the same call twice leaves the account as once."""
    destructive: bool = False
    """Whether it can commit or undo something that costs money."""


def _mark(marker: Marker) -> Callable[[Method], Method]:
    if not 0 < marker.time_limit <= PATIENCE:
        raise ValueError(f"time_limit must lie in (0, {PATIENCE:g}]")

    def decorate(method: Method) -> Method:
        cast("Any", method).__marker__ = marker
        return method

    return decorate


def reads(
    *, answered_by: Literal["worker", "frontend"] = "worker", time_limit: float = 10.0, share_for: float = 0.0
) -> Callable[[Method], Method]:
    """The method changes nothing."""
    return _mark(Marker(effect=Effect.READS, answered_by=answered_by, time_limit=time_limit, share_for=share_for))


def trades(*, time_limit: float = 15.0, idempotent: bool = False) -> Callable[[Method], Method]:
    """The method can change orders: it needs the trade scope, runs at most once and never under READONLY."""
    return _mark(
        Marker(
            effect=Effect.TRADES, answered_by="worker", time_limit=time_limit, idempotent=idempotent, destructive=True
        )
    )


class Toolset(ABC):
    """One area of tools. Its name is what a user switches on or off."""

    toolset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One tool, derived from one method of a toolset."""

    name: str
    toolset: type[Toolset]
    marker: Marker
    description: str
    """The method's docstring: what an agent reads before it calls."""
    result: type[BaseModel]
    groups: Mapping[str, type[ArgumentGroup]]
    """Parameter name to the group that is spread over the tool's arguments."""
    own: type[BaseModel]
    """The remaining parameters as a model."""
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]

    @property
    def title(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ").capitalize()

    @property
    def argument_names(self) -> tuple[str, ...]:
        """Every argument the tool takes, in the order it is listed."""
        return tuple(self.input_schema["properties"])

    def parse(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The method's keyword arguments, validated; null means left out.

        Raises ``InvalidArgument`` that names every mistake at once.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        parsed: dict[str, Any] = {}
        mistakes: list[str] = []
        unknown = [name for name in given if name not in self.input_schema["properties"]]
        mistakes += [f"{name} is not an argument of {self.name}" for name in unknown]
        mistakes += [f"{name} has a control character" for name, value in given.items() if _has_control(value)]
        for parameter, model in (*self.groups.items(), (None, self.own)):
            if not (fields := _fields(model)):
                continue
            part = {name: value for name, value in given.items() if name in fields}
            try:
                value = model.model_validate(part)
            except ValidationError as error:
                mistakes += argument_errors(error)
                continue
            if parameter is None:
                parsed |= {name: getattr(value, name) for name in fields}
            else:
                parsed[parameter] = value
        if mistakes:
            hint = f"use only: {', '.join(self.argument_names)}" if unknown else None
            raise invalid(mistakes, hint)
        return parsed

    async def invoke(self, handler: Toolset, call: Call, parsed: Mapping[str, Any]) -> BaseModel:
        """Run the method that implements this operation."""
        method = cast("Callable[..., Awaitable[BaseModel]]", getattr(handler, self.name))
        return await method(call, **parsed)


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _has_control(value: object) -> bool:
    """NUL separates fields on the gateway's wire: none may come from outside."""
    return isinstance(value, str) and _CONTROL.search(value) is not None


@cache
def _fields(model: type[BaseModel]) -> tuple[str, ...]:
    """A model's fields; to ask the model itself takes longer than to fill it."""
    return tuple(model.model_fields)


def operations_of(toolset: type[Toolset]) -> list[Operation]:
    """Every operation an area class declares, in the order of its source.

    Raises ``TypeError`` for a public method that breaks the rules of the module's docstring.
    """
    return [
        _operation(toolset, name, method)
        for name, method in vars(toolset).items()
        if inspect.isfunction(method) and not name.startswith("_")
    ]


def _operation(toolset: type[Toolset], name: str, method: Callable[..., Any]) -> Operation:
    marker: Marker | None = getattr(method, "__marker__", None)
    parameters = list(inspect.signature(method).parameters.values())[1:]
    hints = get_type_hints(method, include_extras=True)
    result = hints.get("return")
    if marker is None or not inspect.iscoroutinefunction(method) or not method.__doc__:
        raise TypeError(f"{toolset.__name__}.{name} needs a marker, async and a docstring")
    if not parameters or hints[parameters[0].name] is not Call or parameters[0].name != "call":
        raise TypeError(f"{toolset.__name__}.{name} must take call: Call first")
    if not (isinstance(result, type) and issubclass(result, BaseModel)):
        raise TypeError(f"{toolset.__name__}.{name} must return a model")
    groups: dict[str, type[ArgumentGroup]] = {}
    own: dict[str, Any] = {}
    for parameter in parameters[1:]:
        hint = hints[parameter.name]
        if isinstance(hint, type) and issubclass(hint, ArgumentGroup):
            groups[parameter.name] = hint
        else:
            own[parameter.name] = (hint, ... if parameter.default is parameter.empty else parameter.default)
    own_model = create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid", frozen=True), **own)
    return Operation(
        name=name,
        toolset=toolset,
        marker=marker,
        description=inspect.cleandoc(method.__doc__),
        result=result,
        groups=groups,
        own=own_model,
        input_schema=schemas.input_schema([*groups.values(), own_model]),
        output_schema=schemas.output_schema(result),
    )
