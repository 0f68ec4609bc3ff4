"""Routes for load balancers and container health checks; they stand behind the Host check like everything else."""

from __future__ import annotations

from fastmcp import FastMCP
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_frontend.status import RedisStatus


def add_health_routes(server: FastMCP[object], status: RedisStatus) -> None:
    """Add ``/livez`` (the process serves) and ``/readyz`` (Redis answers and a worker runs; else 503)."""

    async def livez(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(_: Request) -> Response:
        ready, reason = await status.ready()
        return JSONResponse({"ready": ready, "reason": reason}, status_code=200 if ready else 503)

    server.custom_route("/livez", methods=["GET"])(livez)
    server.custom_route("/readyz", methods=["GET"])(readyz)
