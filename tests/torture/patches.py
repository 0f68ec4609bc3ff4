"""For the time of one schedule: the simulation's clock in place of the machine's, and chance that can be repeated."""

from __future__ import annotations

import logging
import os
import random
import secrets
import socket
import sys
import time
import uuid
from asyncio import events
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, tzinfo
from typing import Any

from .simulation import Process, Simulation

ROOMS = ("shared", "mcp_frontend", "broker_worker", "simulated_gateway")


made_ids: ContextVar[list[str]] = ContextVar("made_ids")
"""Where a call's task has set it: the ids made in it."""


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class SimulatedDatetime(datetime, metaclass=_AnyDatetime):
    """``datetime`` whose ``now`` asks ``time.time``, which the real one does not."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """The time of day."""
        return datetime.fromtimestamp(time.time(), tz)


class Said(logging.Handler):
    """What the processes log, each line with its moment and its process."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._say = say
        self.complain = say

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line; one that tells of a defect fails the schedule."""
        process = current_process()
        if process is not None and process.closing:
            return
        text = f"{process.name if process else '-'}: {record.name}: {record.getMessage()}"
        self._say(text)
        if record.levelno >= logging.ERROR:
            trace = f": {record.exc_info[1]!r}" if record.exc_info else ""
            self.complain(f"{text}{trace}")


def current_process() -> Process | None:
    """The process that is being turned."""
    loop = events._get_running_loop()
    return loop if isinstance(loop, Process) else None


@contextmanager
def simulated(simulation: Simulation, start: datetime, say: Said) -> Iterator[None]:
    """The machine's clock and chance replaced until the block ends."""
    epoch = start.timestamp() - simulation.now
    chance = random.Random(simulation.rng.random())
    pids: dict[Any, int] = {}
    state = random.getstate()
    random.seed(simulation.rng.random())
    loggers = [logging.getLogger(name) for name in (*ROOMS, "asyncio", "ib_async")]
    kept = [(logger, logger.level, logger.propagate) for logger in loggers]
    patches: list[tuple[Any, str, Any]] = [
        (time, "time", lambda: epoch + simulation.now + _skew()),
        (time, "monotonic", lambda: simulation.now),
        (secrets, "token_hex", lambda count=16: _made(chance.randbytes(count).hex())),
        (secrets, "token_bytes", lambda count=16: chance.randbytes(count)),
        (uuid, "uuid4", lambda: uuid.UUID(bytes=chance.randbytes(16), version=4)),
        (os, "getpid", lambda: pids.setdefault(current_process(), 4000 + len(pids))),
        (socket, "gethostname", lambda: "torture"),
        *((module, "datetime", SimulatedDatetime) for module in _modules()),
    ]
    old = [(owner, name, getattr(owner, name)) for owner, name, _ in patches]
    for owner, name, new in patches:
        setattr(owner, name, new)
    for logger in loggers:
        logger.setLevel(logging.CRITICAL if logger.name == "ib_async" else logging.INFO)
        logger.propagate = False
        logger.addHandler(say)
    try:
        yield
    finally:
        for logger, level, propagate in kept:
            logger.removeHandler(say)
            logger.setLevel(level)
            logger.propagate = propagate
        for owner, name, value in old:
            setattr(owner, name, value)
        random.setstate(state)


def _skew() -> float:
    process = current_process()
    return process.skew if process is not None else 0.0


def _made(made: str) -> str:
    made_ids.get([]).append(made)
    return made


def _modules() -> list[Any]:
    """Every module of the product that reads the time of day."""
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.partition(".")[0] in ROOMS and vars(module).get("datetime") in {datetime, SimulatedDatetime}
    ]
