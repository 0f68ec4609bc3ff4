"""HTTP: the endpoint, its protection, and a server process that ends politely."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import sys
from collections.abc import Generator
from typing import Any, cast

import uvicorn
from fastmcp import FastMCP
from fastmcp.server.http import StarletteWithLifespan
from mcp_types import INVALID_REQUEST, PARSE_ERROR
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mcp_frontend.answer_form import AnswerForm
from mcp_frontend.settings import FrontendSettings
from mcp_frontend.tracing import HttpSpans

log = logging.getLogger(__name__)

PATH = "/mcp"

_SAID_INSTEAD = {
    "Parse error": (PARSE_ERROR, "the request's body is not JSON"),
    "Validation error": (INVALID_REQUEST, "the request's body is not one JSON-RPC message"),
}
"""What replaces the wire library's messages that quote its own parts, by their beginnings."""


class CleanHttpErrors:
    """Rewrites the few HTTP error bodies into which the wire library puts its validator's text, links and all."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything but the bodies of refused requests through."""
        held: list[Message] = []

        async def clean(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 400:
                held.append(message)
            elif held and message["type"] == "http.response.body":
                start = held.pop()
                body = _cleaned(message.get("body", b""))
                headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
                await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
                await send({**message, "body": body})
            else:
                await send(message)

        await self._app(scope, receive, clean)


def _cleaned(body: bytes) -> bytes:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        data = json.loads(body)
        for beginning, (code, message) in _SAID_INSTEAD.items():
            if data["error"]["message"].startswith(beginning):
                data["error"] = {"code": code, "message": message}
                return json.dumps(data, separators=(",", ":")).encode()
    return body


def build_app(server: FastMCP[Any], settings: FrontendSettings, *, says_more: bool = False) -> ASGIApp:
    """The ASGI application: stateless, and closed to foreign Hosts and Origins.

    ``says_more``: the server's tools send messages beside their answers other than the progress they were asked for.
    Ours do not.
    """

    def app(*, json_response: bool) -> StarletteWithLifespan:
        return server.http_app(
            path=PATH,
            stateless_http=True,
            json_response=json_response,
            middleware=[Middleware(CleanHttpErrors)],
            host_origin_protection=True,
            allowed_hosts=list(settings.allowed_hosts) or None,
            allowed_origins=list(settings.allowed_origins) or None,
        )

    streaming = app(json_response=False)
    answers = streaming if says_more else AnswerForm(PATH, streaming=streaming, plain=app(json_response=True))
    return HttpSpans(answers, PATH) if settings.traces else answers


class _Protocol(HttpToolsProtocol):
    """Uvicorn's fastest, but that spaces around a header's value are no part of it (RFC 9110, 5.5)."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        super().on_header(name, value.strip(b" \t"))


class HttpServer(uvicorn.Server):
    """uvicorn, told by us when to stop.

    ``stopping`` is set as soon as it is told; it then serves for ``notice`` seconds more, so that a load balancer sees
    that it will stop before it does, and after that for ``grace`` seconds at most until running calls have ended.
    """

    def __init__(
        self, app: ASGIApp, *, grace: float, notice: float = 0.0, stopping: asyncio.Event | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                cast("Any", app),
                http=_Protocol,
                log_config=None,
                access_log=False,
                lifespan="on",
                ws="none",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=max(1, round(grace)),
            )
        )
        self._notice = notice
        self._stopping = stopping or asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone: uvicorn's own handling cuts streams at once and ends with the signal, not with 0."""
        yield

    def stop(self) -> None:
        """Give notice, then accept nothing more and let running calls end; asked a second time, end at once."""
        if self._stopping.is_set():
            self.should_exit = self.force_exit = True
        elif self._notice:
            log.info("told to stop; serving on for %g s, so that others see it", self._notice)
            asyncio.get_running_loop().call_later(self._notice, self._accept_no_more)
        else:
            self._accept_no_more()
        self._stopping.set()

    def _accept_no_more(self) -> None:
        self.should_exit = True

    async def serve_until_told(self, listening: socket.socket) -> None:
        """Serve until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self.stop)
        try:
            await self.serve(sockets=[listening])
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; ends the process with one line where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        sys.exit(f"Cannot listen on {host} port {port} (SERVER_HOST, SERVER_PORT): {error.strerror or error}")
    # Connections inherit it. asyncio sets it only on sockets that name TCP as their protocol, which this one does not;
    # without it an answer's second piece waits 40 ms for the client's acknowledgement of the first.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
