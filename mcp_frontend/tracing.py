"""The first span of a trace: one HTTP request. What FastMCP and the worker add lies beneath it."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import traces


class HttpSpans:
    """Opens a span for each HTTP request for a path, beneath the client's own where a ``traceparent`` header names one.

    For the endpoint alone: balancers ask for health twice a second.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                traces.note(http_status=message["status"])
            await send(message)

        parent = Headers(scope=scope).get("traceparent", "")
        with traces.span(f"HTTP {scope['method']}", "server", parent):
            await self._app(scope, receive, noted)
