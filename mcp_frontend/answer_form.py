"""The form of an HTTP answer: a stream for a client that asked for progress, one JSON body for any other.

A stream costs the frontend a fifth more than a plain answer, and carries nothing more where nobody listens to progress.
The protocol lets the server choose, and every client must understand both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

from fastmcp.server.http import StarletteWithLifespan
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ASKS_FOR_PROGRESS = b'"progressToken"'
_MOST_BYTES = 64 * 1024
"""Of a body that is looked at; a larger one is no call of ours and goes where its size is judged."""


class AnswerForm:
    """Hands each request to one of two applications of the same server."""

    def __init__(self, path: str, streaming: StarletteWithLifespan, plain: StarletteWithLifespan) -> None:
        self._path = path
        self._streaming = streaming
        self._plain = plain

        @asynccontextmanager
        async def both(app: Starlette) -> AsyncGenerator[None]:
            async with streaming.lifespan(app), plain.lifespan(app):
                yield

        self._lifespan: ASGIApp = Starlette(lifespan=both)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of both."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == self._path:
            await self._serve(scope, receive, send)
        else:
            await self._streaming(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = [await receive()]
        size = len(read[0].get("body", b""))
        while read[-1].get("more_body") and size <= _MOST_BYTES:
            read.append(await receive())
            size += len(read[-1].get("body", b""))
        whole = b"".join(message.get("body", b"") for message in read)
        again = _Again(read, receive)
        if read[-1].get("more_body") or _ASKS_FOR_PROGRESS in whole:
            await self._streaming(scope, again, send)
        else:
            await _while_awaited(self._plain, scope, again, send, receive)


class _Again:
    """The messages that were read already, then the rest."""

    def __init__(self, read: list[Message], receive: Receive) -> None:
        self._read = read
        self._receive = receive

    async def __call__(self) -> Message:
        return self._read.pop(0) if self._read else await self._receive()


async def _while_awaited(app: ASGIApp, scope: Scope, body: Receive, send: Send, receive: Receive) -> None:
    """Serve until it is done or the client has left; a stream notices that by itself, a plain answer does not."""
    serving = cast("asyncio.Task[None]", asyncio.current_task())
    answered = left = False

    async def tell(message: Message) -> None:
        nonlocal answered
        answered = answered or (message["type"] == "http.response.body" and not message.get("more_body"))
        await send(message)

    async def watch() -> None:
        nonlocal left
        while (await receive())["type"] != "http.disconnect":
            serving.cancel()
        if not answered:
            left = True
            serving.cancel()

    watching = asyncio.create_task(watch(), name="whether the client is there")
    try:
        await app(scope, body, tell)
    except asyncio.CancelledError:
        if not left or serving.uncancel():
            raise
    finally:
        watching.cancel()
