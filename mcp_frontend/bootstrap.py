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
from mcp_frontend.order_records import RecordedOrders
from mcp_frontend.page import routes as status_page
from mcp_frontend.page.facts import FactFinder
from mcp_frontend.page.login import BrowserLogin
from mcp_frontend.presence import keep_presence
from mcp_frontend.rates import Rates
from mcp_frontend.server import build_server
from mcp_frontend.settings import FrontendSettings
from mcp_frontend.status import RedisStatus
from mcp_frontend.tools import bridge_tools
from shared import VERSION
from shared.audit import Audit
from shared.contract import OPERATIONS, Operation, Toolset
from shared.contract.handlers import check_handler
from shared.contract.order_records import OrderRecordTools
from shared.contract.status import StatusTools
from shared.files import FileShelf
from shared.history import FrontendWord, History
from shared.order_records import OrderRecords
from shared.queue.client import JobClient
from shared.redis_keys import Keys
from shared.redis_store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """The parts of one frontend process."""

    server: FastMCP[Any]
    app: ASGIApp
    jobs: JobClient
    audit: Audit
    store: Store
    history: History
    readonly: bool
    stopping: asyncio.Event
    """Set once the process is told to stop; it then still serves for a while."""

    @asynccontextmanager
    async def running(self, transport: str = "http") -> AsyncGenerator[None]:
        """Hear the worker's replies until the block ends; what it needs of Redis is found again whenever it is away."""
        tasks = [
            asyncio.create_task(self.jobs.run(), name="replies"),
            asyncio.create_task(keep_presence(self.history, self.word(transport)), name="presence"),
            asyncio.create_task(self.audit.keep(), name="audit"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.audit.close()
            await self.store.close()

    def word(self, transport: str) -> FrontendWord:
        """What the status page shows of this process."""
        name = f"{socket.gethostname()}-{os.getpid()}"
        return FrontendWord(
            name=name, version=VERSION, since=datetime.now(UTC), readonly=self.readonly, transport=transport
        )


def build(settings: FrontendSettings, identify: Identify | None = None) -> Frontend:
    """Everything, connected to nothing yet: the start waits neither for Redis nor for the worker.

    ``identify`` is who calls where no token says so, as over standard input and output.
    """
    store = Store.at(settings.redis_url)
    keys = Keys(settings.gateway_session)
    secret = settings.job_signing_secret.get_secret_value().encode()
    guarded = provider(settings, KeyRing(store, keys, secret) if "keys" in settings.authentication else None)
    identify = identify or (local_caller if guarded is None else token_caller)
    jobs = JobClient(store, keys, secret)
    status = RedisStatus(store, keys, readonly=settings.readonly)
    operations = offered(settings.toolsets)
    records = OrderRecords(store, keys)
    handlers: dict[type[Toolset], Toolset] = {StatusTools: status, OrderRecordTools: RecordedOrders(records)}
    check_served(OPERATIONS, handlers)
    audit = Audit(store, keys)
    metrics = FrontendMetrics(settings.gateway_session, readonly=settings.readonly)
    calls = Calls(
        jobs, records, audit, handlers, identify, Rates(store, keys), metrics.observe, readonly=settings.readonly
    )
    server = build_server(
        "ibkr", bridge_tools(operations, calls), lambda tool: identify().may_use(OPERATIONS[tool]), guarded
    )
    stopping = asyncio.Event()
    add_health_routes(server, status, stopping)
    add_metrics_route(server, metrics, status, identify)
    add_file_route(server, FileShelf(store, keys), identify)
    status_page.add_status_page(
        server, FactFinder(store, keys, status, records), identify, session=settings.gateway_session
    )
    return Frontend(
        server=server,
        app=BrowserLogin(build_app(server, settings), status_page.PATH),
        jobs=jobs,
        audit=audit,
        store=store,
        history=History(store, keys),
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
