"""The reply channel of one frontend process: one subscription for all its calls.

A message is ``A job_id answer`` or ``P job_id progress``, or several with ``SEPARATOR`` between them. Pub/sub promises
nothing, so nobody relies on it: an answer that is not heard is looked for (``lookout.py``).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal

from shared.errors import BridgeError
from shared.redis_store import Absence, RedisAway, Store

_RETRY_SECONDS = 0.2

SEPARATOR = "\x1e"
"""ASCII's record separator, which stands in no JSON text."""

Kind = Literal["A", "P"]


def message(kind: Kind, job_id: str, text: str) -> str:
    """What the worker publishes: an answer (``A``) when a job is done, progress (``P``) while it waits."""
    return f"{kind} {job_id} {text.replace(SEPARATOR, ' ')}"


Heard = tuple[str, str] | BridgeError
"""Kind and text, or the error that ends the call."""


class Inbox:
    """What was heard of one job, in the order it was said, for the one task that waits for it."""

    __slots__ = ("_heard", "_waiter")

    def __init__(self) -> None:
        self._heard: deque[Heard] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, heard: Heard) -> None:
        """Add what was heard."""
        self._heard.append(heard)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> Heard:
        """The next thing heard."""
        while not self._heard:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._heard.popleft()


class Replies:
    """Who waits for which answer, and the one subscription that wakes them."""

    def __init__(self, store: Store, channel: str) -> None:
        self._store = store
        self._channel = channel
        self._inboxes: dict[str, Inbox] = {}

    def expect(self, job_id: str) -> Inbox:
        """Where to hear of this job, until it is forgotten."""
        inbox = self._inboxes[job_id] = Inbox()
        return inbox

    def forget(self, job_id: str) -> None:
        """Nobody waits for this job any more."""
        del self._inboxes[job_id]

    async def listen(self) -> None:
        """Hear replies until cancelled, through every absence of Redis."""
        absence = Absence("reply channel")
        while True:
            try:
                async for text in self._store.messages(self._channel):
                    absence.over()
                    self._deliver(text)
            except RedisAway as error:
                absence.noticed(error)
                await asyncio.sleep(_RETRY_SECONDS)

    def _deliver(self, text: str) -> None:
        for said in text.split(SEPARATOR):
            kind, _, rest = said.partition(" ")
            job_id, _, content = rest.partition(" ")
            inbox = self._inboxes.get(job_id)
            if inbox is not None:
                inbox.put((kind, content))
