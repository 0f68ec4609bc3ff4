"""What a client sees of everything that can go wrong, in one line: ``CODE: fact. Do: action. Retry: retry.``.

An error of the tree in ``shared.errors`` is its own line. Whatever else is raised is a defect of ours, unless it is
listed in ``TRANSLATED``: the client learns a request id, the log the rest.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.errors import BridgeError, Internal, InvalidArgument, QueueDown, TimedOut
from shared.redis_store import RedisAway

TRANSLATED: dict[type[Exception], Callable[[], BridgeError]] = {
    RedisAway: lambda: QueueDown("Redis cannot be reached"),
    TimeoutError: lambda: TimedOut("the answer was not put together in time"),
    RecursionError: lambda: InvalidArgument("the arguments are nested too deeply"),
}
"""What is no defect although it is none of our own errors."""


def seen_by_client(error: Exception, request_id: str) -> BridgeError:
    """The error a client is told about; an ``Internal`` stands for everything unforeseen."""
    if isinstance(error, BridgeError):
        return error
    for cls, translated in TRANSLATED.items():
        if isinstance(error, cls):
            return translated()
    return Internal(f"this server failed at request {request_id}")


def line(error: BridgeError) -> str:
    """The error's one line; half characters, which no JSON reader takes, are replaced."""
    return str(error).encode("utf-8", "replace").decode()
