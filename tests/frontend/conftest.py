"""The real application on a real socket, against a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from fastmcp import Client

from mcp_frontend.bootstrap import Frontend, build
from mcp_frontend.callers import Identify, local_caller
from mcp_frontend.http import HttpServer, listen
from mcp_frontend.settings import FrontendSettings
from tests.frontend.standin import SECRET, StandInWorker, stand_in_worker


@dataclass(frozen=True)
class Served:
    """A frontend that listens."""

    frontend: Frontend
    url: str
    server: HttpServer

    @property
    def endpoint(self) -> str:
        return f"{self.url}/mcp"

    def client(self, **options: Any) -> Client[Any]:
        return Client(self.endpoint, **options)


@asynccontextmanager
async def serve(redis_url: str, identify: Identify = local_caller, **changes: Any) -> AsyncIterator[Served]:
    """A frontend with these settings, until the block ends."""
    settings = FrontendSettings(redis_url=redis_url, job_signing_secret=SECRET, **changes)
    frontend = build(settings, identify)
    listening = listen("127.0.0.1", 0)
    server = HttpServer(frontend.app, grace=5)
    async with frontend.running():
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield Served(frontend, f"http://127.0.0.1:{listening.getsockname()[1]}", server)
        finally:
            server.stop()
            with suppress(asyncio.CancelledError):
                await serving


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
async def worker(valkey: str) -> AsyncIterator[StandInWorker]:
    """A stand-in worker that serves."""
    async with stand_in_worker(valkey) as stand_in:
        yield stand_in


@pytest.fixture
async def served(valkey: str) -> AsyncIterator[Served]:
    """A frontend with the usual settings."""
    async with serve(valkey) as one:
        yield one
