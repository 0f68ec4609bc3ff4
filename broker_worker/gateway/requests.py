"""Requests that wait for the gateway's answer, by their id or, where the protocol has none, by name."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

Key = int | str


@dataclass(slots=True)
class _Waiting:
    answer: asyncio.Future[Any]
    items: list[Any] = field(default_factory=list[Any])


class Requests:
    """Who waits for which answer on one socket. An answer nobody waits for is dropped."""

    def __init__(self) -> None:
        self._waiting: dict[Key, _Waiting] = {}

    def begin(self, key: Key) -> asyncio.Future[Any]:
        """The future for a request about to be sent. A name may be under way only once at a time."""
        if key in self._waiting:
            raise RuntimeError(f"request {key} is already under way")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[key] = _Waiting(answer)
        return answer

    def forget(self, key: Key) -> None:
        """Nobody waits any more; what still comes is dropped."""
        self._waiting.pop(key, None)

    def waits_for(self, key: Key) -> bool:
        """Whether an answer to this request is awaited."""
        return key in self._waiting

    def add(self, key: Key, item: Any) -> None:
        """One part of an answer."""
        if waiting := self._waiting.get(key):
            waiting.items.append(item)

    def end(self, key: Key, answer: Any = None) -> None:
        """The answer is complete: the parts, or what came in one piece."""
        waiting = self._waiting.pop(key, None)
        if waiting and not waiting.answer.done():
            waiting.answer.set_result(waiting.items if answer is None else answer)

    def fail(self, key: Key, error: Exception) -> None:
        """The gateway refused."""
        waiting = self._waiting.pop(key, None)
        if waiting and not waiting.answer.done():
            waiting.answer.set_exception(error)

    def fail_all(self, error: Exception) -> None:
        """The socket is gone and no answer can come."""
        for key in list(self._waiting):
            self.fail(key, error)
