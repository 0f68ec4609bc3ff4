"""Questions that share one request to the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace
from typing import Generic, TypeVar

from broker_worker.gateway.waiting import Patience
from shared.errors import Busy

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")

Work = Callable[[Patience], Awaitable[ValueT]]
"""Does it, with the time of whoever asked first, and tells all who wait."""


class _Flight(Generic[ValueT]):
    """Work under way, and everybody who waits for it."""

    def __init__(self, first: Patience, work: Work[ValueT]) -> None:
        self.askers: list[Patience] = []
        self.task = asyncio.create_task(_run(work, replace(first, say=self._say)))

    async def _say(self, text: str) -> None:
        await asyncio.gather(*(asker.say(text) for asker in self.askers))


class SingleFlight(Generic[KeyT, ValueT]):
    """Runs the work for a key once while it is under way; every asker gets its outcome, and hears how it goes.

    The work goes on while anybody still waits for it, and is cancelled when the last asker has left.
    """

    def __init__(self) -> None:
        self._flights: dict[KeyT, _Flight[ValueT]] = {}

    async def do(self, key: KeyT, patience: Patience, work: Work[ValueT]) -> ValueT:
        """The outcome of the work for this key, begun now with this patience or already under way."""
        flight = self._flights.get(key)
        joined = flight is not None
        if flight is None:
            flight = self._flights[key] = _Flight(patience, work)
        flight.askers.append(patience)
        try:
            return await asyncio.shield(flight.task)
        except Busy:
            if not joined:
                raise
        finally:
            flight.askers.remove(patience)
            if not flight.askers:
                flight.task.cancel()
            if flight.task.done() or not flight.askers:
                self._forget(key, flight)
        # What was refused for want of the first asker's time need not be refused to one who came later.
        return await self.do(key, patience, work)

    def _forget(self, key: KeyT, flight: _Flight[ValueT]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


class FreshFlight(Generic[ValueT]):
    """For what must be as new as the question: askers share a request only if it begins after all of them asked."""

    def __init__(self, work: Callable[[], Awaitable[ValueT]]) -> None:
        self._work = work
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[ValueT] | None = None

    async def do(self) -> ValueT:
        """The outcome of the next request. It is carried out even if every asker leaves; it has limits of its own."""
        if self._next is None:
            self._next = asyncio.create_task(self._run())
            self._next.add_done_callback(_heard)
        return await asyncio.shield(self._next)

    async def _run(self) -> ValueT:
        async with self._turn:
            self._next = None
            return await self._work()


def _heard(task: asyncio.Task[ValueT]) -> None:
    """What it failed with is no news where every asker has left."""
    if not task.cancelled():
        task.exception()


async def _run(work: Work[ValueT], patience: Patience) -> ValueT:
    return await work(patience)
