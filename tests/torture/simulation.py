"""Several processes in one, on a clock that jumps: each is an event loop that nobody but the simulation turns.

A killed process is a loop that is never turned again: no ``finally`` of it runs. A stopped one is not turned while time
goes on. Processes touch each other only by timers on one another's loops, which stand for what is on the wire, so that
a schedule decides by times alone what happens before what.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import sys
import threading
from asyncio import events
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

_MOST_TURNS_AT_ONE_MOMENT = 20_000
_TINY = 1e-7
START = 1000.0
"""What every process's own clock shows when a schedule begins."""


class Died(BaseException):
    """Ends the step in which a process was killed; whatever its code still does on the way out has no effect."""


class Spins(Exception):
    """A process never comes to rest, so that no time passes."""


class Process(asyncio.BaseEventLoop):
    """One process, as its event loop. Threads are timers too: their work is done in their order, and takes a moment."""

    _ready: deque[Any]
    _scheduled: list[Any]
    _thread_id: int | None
    _clock_resolution: float
    _asyncgen_firstiter_hook: Any
    _asyncgen_finalizer_hook: Any

    def __init__(self, simulation: Simulation, name: str) -> None:
        super().__init__()
        self._clock_resolution = 1e-9
        self.simulation = simulation
        self.name = name
        self.alive = True
        self.closing = False
        """Being taken apart after the end: nothing it does counts any more."""
        self.stopped_until = 0.0
        self.skew = simulation.skews.get(name, 0.0)
        """Seconds by which its machine's time of day is off."""
        self.steps = 0
        self.watch: Callable[[], None] | None = None
        """Called after every step."""
        self.dial: Callable[[Process, Any], Awaitable[Any]] | None = None
        """What answers its outgoing connections."""
        self.disk_seconds = (0.0001, 0.002)
        self._turning = False
        self._thread_free_at: dict[int, float] = {}
        self.troubles: list[str] = []
        self.set_exception_handler(lambda _, context: self._trouble(context))

    def time(self) -> float:
        """The simulation's clock, as this process sees it: all see the same."""
        return self.simulation.now

    @property
    def runs(self) -> bool:
        """Whether it can be turned now."""
        return self.alive and not self._turning and self.stopped_until <= self.simulation.now

    def next_moment(self) -> float:
        """When its next timer is due; infinity where there is none."""
        timers = self._scheduled
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
        if self._turning:  # it stands still inside a step; once it may go on, it waits for whoever stands further in
            return self.stopped_until if self.stopped_until > self.simulation.now else float("inf")
        if self._ready:
            return max(self.simulation.now, self.stopped_until)
        return max(timers[0]._when, self.stopped_until) if timers else float("inf")

    def turn(self) -> bool:
        """Run all that is due now; whether there was anything."""
        timers, ready, now = self._scheduled, self._ready, self.simulation.now
        while timers and timers[0]._when <= now:
            handle = heapq.heappop(timers)
            handle._scheduled = False
            if not handle._cancelled:
                ready.append(handle)
        if not ready:
            return False
        outer, hooks = events._get_running_loop(), sys.get_asyncgen_hooks()
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)
        self._thread_id, self._turning = threading.get_ident(), True
        try:
            for _ in range(len(ready)):
                handle = ready.popleft()
                if handle._cancelled:
                    continue
                handle._run()
                self.steps += 1
                if self.watch is not None:
                    self.watch()
                if not self.alive or self.stopped_until > now:
                    break
        finally:
            self._turning, self._thread_id = False, None
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(outer)
        return True

    def halt(self) -> None:
        """Be killed: nothing of it runs from here on."""
        self.alive = False
        self.simulation.processes.remove(self)
        self.simulation.dead.append(self)

    def stop_here(self) -> None:
        """Stand still in the middle of a step until its time has come; everybody else goes on."""
        self.simulation.run(lambda: self.stopped_until <= self.simulation.now)
        if not self.alive:
            raise Died

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """As a thread would: in order, after a moment; what is cancelled before its turn is not done."""
        future = self.create_future()
        if self.closing:
            future.set_result(func(*args))
            return future
        rng = self.simulation.rng
        begin = max(self._thread_free_at.get(id(executor), 0.0) + _TINY, self.time() + rng.uniform(0.00001, 0.0002))
        end = begin + rng.uniform(*self.disk_seconds)
        self._thread_free_at[id(executor)] = end

        def work() -> None:
            if future.cancelled():
                return
            try:
                result, error = func(*args), None
            except Exception as raised:
                result, error = None, raised
            self.call_at(end, finish, result, error)

        def finish(result: Any, error: Exception | None) -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_at(begin, work)
        return future

    async def create_connection(self, protocol_factory: Any, *_: Any, **__: Any) -> Any:
        """Connect to the one thing there is to connect to."""
        if self.dial is None or self.closing:
            raise ConnectionRefusedError("nothing listens")
        return await self.dial(self, protocol_factory)

    def take_apart(self) -> None:
        """After the end: cancel what is left, so that nothing of it is alive when memory is collected."""
        for task in asyncio.all_tasks(self):
            task.cancel()

    def _trouble(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if self.alive and not self.closing and not isinstance(error, Died):
            self.troubles.append(f"{self.name}: {context.get('message')}: {error!r}")

    def _write_to_self(self) -> None:
        """Nothing waits that would need to be woken."""


class Simulation:
    """All processes, the clock they share, and what is to happen to them when."""

    def __init__(self, seed: str, skews: Mapping[str, float]) -> None:
        self.rng = random.Random(seed)
        self.skews = skews
        self.now = START
        self.processes: list[Process] = []
        self.dead: list[Process] = []
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def process(self, name: str) -> Process:
        """Start a process that does nothing yet."""
        process = Process(self, name)
        self.processes.append(process)
        return process

    def at(self, moment: float, do: Callable[[], None]) -> None:
        """Have something happen to the processes from outside."""
        heapq.heappush(self._agenda, (max(moment, self.now), next(self._numbers), do))

    def run(self, done: Callable[[], bool], limit: float = float("inf")) -> bool:
        """Let everything happen until it is done, or that many seconds have passed; whether it is done."""
        end, turns = self.now + limit, 0
        while not done():
            moved = False
            for process in list(self.processes):
                if process.runs and process.turn():
                    moved = True
            if moved:
                turns += 1
                if turns > _MOST_TURNS_AT_ONE_MOMENT:
                    busy = [process.name for process in self.processes if process._ready]
                    raise Spins(f"no rest for {', '.join(busy)}")
                continue
            turns = 0
            moments = [process.next_moment() for process in self.processes]
            moment = min([self._agenda[0][0] if self._agenda else end, end, *moments])
            if moment >= end:
                self.now = max(self.now, end)
                return done()
            self.now = max(self.now, moment)
            while self._agenda and self._agenda[0][0] <= self.now:
                heapq.heappop(self._agenda)[2]()
        return True

    def close(self) -> None:
        """Take every process apart; what its code does on its way out reaches nobody."""
        self._agenda.clear()
        everyone = [*self.dead, *self.processes]
        self.processes = everyone
        for process in everyone:
            process.closing = process.alive = True
            process.stopped_until, process.watch = 0.0, None
            process.take_apart()
        self.run(lambda: not any(asyncio.all_tasks(process) for process in everyone), 60)
        for process in everyone:
            process.close()
