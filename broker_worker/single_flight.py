"""Identical questions in flight share one request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


@dataclass(slots=True)
class _Flight(Generic[ValueT]):
    task: asyncio.Task[ValueT]
    askers: int = 0


class SingleFlight(Generic[KeyT, ValueT]):
    """Runs the work for a key once while it is under way; every asker gets its outcome.

    The work goes on while anybody still waits for it, and is cancelled when the last asker has left.
    """

    def __init__(self) -> None:
        self._flights: dict[KeyT, _Flight[ValueT]] = {}

    async def do(self, key: KeyT, work: Callable[[], Awaitable[ValueT]]) -> ValueT:
        """The outcome of the work for this key, begun now or already under way."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(_run(work)))
        flight.askers += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.askers -= 1
            if not flight.askers:
                flight.task.cancel()
            if flight.task.done() or not flight.askers:
                self._forget(key, flight)

    def _forget(self, key: KeyT, flight: _Flight[ValueT]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


async def _run(work: Callable[[], Awaitable[ValueT]]) -> ValueT:
    return await work()
