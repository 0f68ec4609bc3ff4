"""A job on the worker's side: what was claimed, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from shared import audit


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed job, as somebody put it into Redis: nothing of it is trusted yet."""

    id: str
    body: object
    signature: object
    trades: bool
    """Which lane it came in by; what it may do is decided from the envelope alone."""
    progress: Callable[[str, str], Awaitable[None]]
    """Publish a text on a frontend's reply channel."""
    left: Callable[[], bool] = lambda: False
    """Whether it is cancelled because its caller left; else because this process stops."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job: the answer's text, and the frontend that waits for it, if that is known."""

    answer: str
    reply_to: str | None
    share_key: str = ""
    """Where others may find the answer while it stays true; empty: nowhere."""
    share_ms: int = 0
    decision: audit.Decision | None = None
    """What stands in the audit from the moment the answer does, where the job was to trade."""


class RunJob(Protocol):
    """Runs one job to its answer. A refusal is an answer too; what it raises is logged and answered as a defect.

    So is its cancellation: a job that lets it out is not accounted for before the next worker.
    """

    async def __call__(self, job: Job) -> Done:
        """Run it."""
        ...
