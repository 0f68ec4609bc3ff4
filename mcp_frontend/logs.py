"""The frontend's logs: the house's one line for each call in place of the several its libraries write."""

from __future__ import annotations

import logging

from shared import logs

_QUIET = {
    "fastmcp": logging.WARNING,
    "mcp": logging.WARNING,
    "uvicorn": logging.WARNING,
    "sse_starlette": logging.WARNING,
}


def configure(level: str) -> None:
    """Send every log of this process to standard error, as JSON; standard output may be the wire."""
    fastmcp = logging.getLogger("fastmcp")  # brings handlers of its own
    fastmcp.handlers = []
    fastmcp.propagate = True
    logs.configure(level, _QUIET)
