"""The route by which a caller fetches a file that an answer told it of, with the key it made the call with."""

from __future__ import annotations

import gzip
from collections.abc import Sequence

from fastmcp import FastMCP
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_frontend.callers import Identify
from shared.errors import BridgeError
from shared.files import PATH, FileShelf
from shared.redis_store import RedisAway


def add_file_route(server: FastMCP[object], shelves: Sequence[FileShelf], identify: Identify) -> None:
    """Add ``/files/TOKEN``: CSV for the caller whose call made it, 404 for everybody else."""

    async def fetch(request: Request) -> Response:
        try:
            caller = identify().name
            token = request.path_params["token"]
            found = [file for shelf in shelves if (file := await shelf.get(token, caller)) is not None]
        except BridgeError as error:
            return JSONResponse({"error": str(error)}, status_code=401)
        except RedisAway:
            return JSONResponse({"error": "Redis cannot be reached"}, status_code=503)
        if not found:
            why = "there is no such file, it has expired, or it is another caller's"
            return JSONResponse({"error": why}, status_code=404)
        file = found[0]
        headers = {
            "content-disposition": f'attachment; filename="{file.name}"',
            "cache-control": "private, no-store",
            "vary": "accept-encoding",
        }
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(file.gzipped, media_type="text/csv", headers=headers | {"content-encoding": "gzip"})
        return Response(gzip.decompress(file.gzipped), media_type="text/csv", headers=headers)

    server.custom_route(f"{PATH}/{{token:str}}", methods=["GET"])(fetch)
