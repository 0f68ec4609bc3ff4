"""Requests that wait for the gateway's answer, by their id or, where the protocol has none, by what they ask for."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.errors import UnreadableAnswer

log = logging.getLogger(__name__)


class Wanted(StrEnum):
    """What a request asks for, and its answer must be made of."""

    TIME = "the time"
    POSITIONS = "positions"
    OPEN_ORDERS = "open orders"
    COMPLETED_ORDERS = "completed orders"
    EXECUTIONS = "executions"
    CONTRACTS = "contracts"
    SYMBOLS = "symbols"
    BARS = "bars"
    OPTION_CLASSES = "option classes"
    ACCOUNT_VALUES = "account values"


Key = int | Wanted
"""A request's id; what it asks for where the protocol gives it none, so that only one may be under way."""


@dataclass(slots=True)
class _Waiting:
    wanted: Wanted
    answer: asyncio.Future[Any]
    items: list[Any] = field(default_factory=list[Any])
    whole: bool = True


class Requests:
    """Who waits for which answer on one socket. An answer nobody waits for, or of another kind, is dropped."""

    def __init__(self) -> None:
        self._waiting: dict[Key, _Waiting] = {}

    def begin(self, key: Key, wanted: Wanted) -> asyncio.Future[Any]:
        """The future for a request about to be sent."""
        if key in self._waiting:
            raise RuntimeError(f"request {key} is already under way")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[key] = _Waiting(wanted, answer)
        return answer

    def forget(self, key: Key) -> None:
        """Nobody waits any more; what still comes is dropped."""
        self._waiting.pop(key, None)

    def waits_for(self, key: Key) -> bool:
        """Whether an answer to this request is awaited."""
        return key in self._waiting

    def add(self, key: Key, wanted: Wanted, item: Any) -> None:
        """One part of an answer."""
        if waiting := self._of(key, wanted):
            waiting.items.append(item)

    def end(self, key: Key, wanted: Wanted, answer: Any = None) -> None:
        """The answer is complete: the parts, or what came in one piece."""
        waiting = self._of(key, wanted)
        if waiting is not None and not waiting.whole:
            self.fail(key, UnreadableAnswer(f"part of the gateway's answer about {wanted} could not be read"))
        elif waiting is not None:
            self._waiting.pop(key)
            if not waiting.answer.done():
                waiting.answer.set_result(waiting.items if answer is None else answer)

    def spoil(self, wanted: Wanted | None, *, last: bool = False) -> bool:
        """A message that is part of such an answer (None: of any) could not be read; whether anybody waits for one.

        Which request it belonged to is not known, so that all of them are not whole. After the ``last`` message of an
        answer no other would end it.
        """
        spoiled = [(key, one) for key, one in self._waiting.items() if wanted in {None, one.wanted}]
        for key, waiting in spoiled:
            waiting.whole = False
            if last:
                self.end(key, waiting.wanted)
        return bool(spoiled)

    def fail(self, key: Key, error: Exception) -> None:
        """The gateway refused."""
        waiting = self._waiting.pop(key, None)
        if waiting and not waiting.answer.done():
            waiting.answer.set_exception(error)

    def fail_all(self, error: Exception) -> None:
        """The socket is gone and no answer can come."""
        for key in list(self._waiting):
            self.fail(key, error)

    def _of(self, key: Key, wanted: Wanted) -> _Waiting | None:
        waiting = self._waiting.get(key)
        if waiting is not None and waiting.wanted is not wanted:
            log.error("the gateway answered request %s about %s with %s: dropped", key, waiting.wanted, wanted)
            return None
        return waiting
