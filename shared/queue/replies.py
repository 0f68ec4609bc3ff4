"""The reply channel of one frontend process: one subscription for all its calls.

A message is ``A job_id answer`` or ``P job_id progress``. Pub/sub promises nothing, so nobody relies on it: an answer
that is not heard is looked for (``lookout.py``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

from shared.errors import BridgeError
from shared.redis_store import Absence, RedisAway, Store

_RETRY_SECONDS = 0.2

Kind = Literal["A", "P"]


def message(kind: Kind, job_id: str, text: str) -> str:
    """What the worker publishes: an answer (``A``) when a job is done, progress (``P``) while it waits."""
    return f"{kind} {job_id} {text}"


Inbox = asyncio.Queue[tuple[str, str] | BridgeError]
"""What was heard of one job, in the order it was said: pairs of kind and text, or the error that ends the call."""


class Replies:
    """Who waits for which answer, and the one subscription that wakes them."""

    def __init__(self, store: Store, channel: str) -> None:
        self._store = store
        self._channel = channel
        self._inboxes: dict[str, Inbox] = {}

    @contextmanager
    def expect(self, job_id: str) -> Generator[Inbox]:
        """Where to hear of this job; forgotten when the block ends."""
        inbox = self._inboxes[job_id] = Inbox()
        try:
            yield inbox
        finally:
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
        kind, _, rest = text.partition(" ")
        job_id, _, content = rest.partition(" ")
        inbox = self._inboxes.get(job_id)
        if inbox is not None:
            inbox.put_nowait((kind, content))
