"""What is wired to what in the frontend process: the only place that builds its parts."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastmcp import FastMCP
from starlette.types import ASGIApp

from mcp_frontend.authentication import provider, token_caller
from mcp_frontend.callers import Identify, desktop_caller, local_caller
from mcp_frontend.calls import Calls
from mcp_frontend.exposure import warning
from mcp_frontend.files import add_file_route
from mcp_frontend.health import add_health_routes
from mcp_frontend.http import HttpServer, build_app, listen
from mcp_frontend.keys import KeyRing
from mcp_frontend.metrics import FrontendMetrics, add_metrics_route
from mcp_frontend.page import routes as status_page
from mcp_frontend.page.facts import FactFinder
from mcp_frontend.page.login import BrowserLogin
from mcp_frontend.presence import keep_presence
from mcp_frontend.rates import Rates
from mcp_frontend.server import build_server
from mcp_frontend.sessions import Chooser, Session
from mcp_frontend.settings import FrontendSettings
from mcp_frontend.status import RedisStatus, StatusOfAll
from mcp_frontend.tools import bridge_tools
from shared import VERSION
from shared.contract import OPERATIONS, Operation, Toolset
from shared.contract.handlers import check_handler
from shared.files import FileShelf
from shared.history import FrontendWord
from shared.redis_keys import Keys
from shared.redis_store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """The parts of one frontend process."""

    server: FastMCP[Any]
    app: ASGIApp
    sessions: tuple[Session, ...]
    store: Store
    readonly: bool
    stopping: asyncio.Event
    """Set once the process is told to stop; it then still serves for a while."""

    @asynccontextmanager
    async def running(self, transport: str = "http") -> AsyncGenerator[None]:
        """Hear the worker's replies until the block ends; what it needs of Redis is found again whenever it is away."""
        word = self.word(transport)
        tasks = [
            asyncio.create_task(work, name=f"{what} of {session.name}")
            for session in self.sessions
            for what, work in (
                ("replies", session.jobs.run()),
                ("presence", keep_presence(session.history, word)),
                ("audit", session.audit.keep()),
            )
        ]
        for task in tasks:
            task.add_done_callback(_lament)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for session in self.sessions:
                await session.audit.close()
            await self.store.close()

    def word(self, transport: str) -> FrontendWord:
        """What the status page shows of this process."""
        name = f"{socket.gethostname()}-{os.getpid()}"
        return FrontendWord(
            name=name, version=VERSION, since=datetime.now(UTC), readonly=self.readonly, transport=transport
        )


def _lament(task: asyncio.Task[None]) -> None:
    """Calls work without it, later and worse: whoever runs this process must hear of it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s: ended by a defect, until this process is started again", task.get_name(), exc_info=error)


def build(settings: FrontendSettings, identify: Identify | None = None) -> Frontend:
    """Everything, connected to nothing yet: the start waits neither for Redis nor for the worker.

    ``identify`` is who calls where no token says so, as over standard input and output.
    """
    store = Store.at(settings.redis_url)
    every = [Keys(name) for name in settings.sessions]
    home = every[0]
    secret = settings.job_signing_secret.get_secret_value().encode()
    guarded = provider(settings, KeyRing(store, home, secret) if "keys" in settings.authentication else None)
    identify = identify or (local_caller if guarded is None else token_caller)
    statuses = [RedisStatus(store, keys, readonly=settings.readonly) for keys in every]
    told = statuses[0] if len(statuses) == 1 else StatusOfAll(statuses)
    sessions = tuple(
        Session.at(store, keys, secret, status, told) for keys, status in zip(every, statuses, strict=True)
    )
    operations = offered(settings.toolsets)
    check_served(OPERATIONS, sessions[0].handlers)
    metrics = FrontendMetrics(settings.sessions, readonly=settings.readonly)
    calls = Calls(
        sessions[0],
        identify,
        Rates(store, home),
        metrics.observe,
        readonly=settings.readonly,
        choose=Chooser(sessions) if len(sessions) > 1 else None,
    )
    server = build_server(
        "ibkr", bridge_tools(operations, calls), lambda tool: identify().may_use(OPERATIONS[tool]), guarded
    )
    stopping = asyncio.Event()
    add_health_routes(server, statuses, stopping)
    add_metrics_route(server, metrics, statuses, identify)
    add_file_route(server, [FileShelf(store, keys) for keys in every], identify)
    finders = {keys.session: FactFinder(store, keys, status) for keys, status in zip(every, statuses, strict=True)}
    status_page.add_status_page(server, finders, identify)
    return Frontend(
        server=server,
        app=BrowserLogin(build_app(server, settings), status_page.PATH),
        sessions=sessions,
        store=store,
        readonly=settings.readonly,
        stopping=stopping,
    )


def offered(toolsets: tuple[str, ...]) -> list[Operation]:
    """The operations of the areas asked for; of all where none is named."""
    return [operation for operation in OPERATIONS.values() if not toolsets or operation.toolset.toolset in toolsets]


def check_served(operations: Mapping[str, Operation], handlers: Mapping[type[Toolset], Toolset]) -> None:
    """Return if every tool has somebody to answer it; raises ``TypeError`` that names each one that has not."""
    mistakes = [
        f"nobody answers {operation.name}"
        for operation in operations.values()
        if operation.marker.answered_by == "frontend" and operation.toolset not in handlers
    ]
    for toolset, handler in handlers.items():
        mistakes += check_handler(handler, toolset)
    if mistakes:
        raise TypeError("the frontend does not fit its contract: " + "; ".join(mistakes))


async def serve_http(settings: FrontendSettings) -> None:
    """Serve over HTTP until told to stop."""
    if said := warning(settings):
        log.warning(said)
    frontend = build(settings)
    listening = listen(settings.server_host, settings.server_port)
    async with frontend.running():
        log.info("serving on http://%s:%d/mcp", settings.server_host, settings.server_port)
        http = HttpServer(
            frontend.app,
            grace=settings.shutdown_grace_seconds,
            notice=settings.shutdown_notice_seconds,
            stopping=frontend.stopping,
        )
        await http.serve_until_told(listening)


async def serve_stdio(settings: FrontendSettings) -> None:
    """Serve one client over standard input and output until it closes them."""
    frontend = build(settings, desktop_caller)
    async with frontend.running("stdio"):
        await frontend.server.run_stdio_async(show_banner=False)
