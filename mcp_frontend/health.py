"""Routes for load balancers and container health checks; they stand behind the Host check like everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastmcp import FastMCP
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_frontend.status import RedisStatus


def add_health_routes(server: FastMCP[object], statuses: Sequence[RedisStatus], stopping: asyncio.Event) -> None:
    """Add three questions that differ in who asks them.

    ``/livez``: does the process run? Else it should be started anew. ``/healthz``: may calls be sent to it? 503 once it
    was told to stop, although what comes is still served. ``/readyz``: can calls be answered? 503 with the reason where
    Redis is away, no session's worker runs, or it was told to stop.
    """

    async def livez(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def healthz(_: Request) -> Response:
        stops = stopping.is_set()
        return JSONResponse({"stopping": stops}, status_code=503 if stops else 200)

    async def readyz(_: Request) -> Response:
        ready, reason = (False, "stopping") if stopping.is_set() else await _ready(statuses)
        return JSONResponse({"ready": ready, "reason": reason}, status_code=200 if ready else 503)

    server.custom_route("/livez", methods=["GET"])(livez)
    server.custom_route("/healthz", methods=["GET"])(healthz)
    server.custom_route("/readyz", methods=["GET"])(readyz)


async def _ready(statuses: Sequence[RedisStatus]) -> tuple[bool, str]:
    """Whether any gateway session can be served; the first one's reason where none can."""
    words = [await status.ready() for status in statuses]
    return next((word for word in words if word[0]), words[0])
