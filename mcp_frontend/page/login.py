"""How a browser shows its key: as the password of HTTP's basic authentication, which every browser asks for itself."""

from __future__ import annotations

import base64
import binascii

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

ASK = {"www-authenticate": 'Basic realm="ibkr bridge: any name, an API key as the password", charset="UTF-8"'}


class BrowserLogin:
    """Hands the password of a request for the page on as the bearer token that the authentication behind it knows.

    For the page alone: a browser that sends the key by itself must not be able to call a tool with it.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"] == self._path:
            kind, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
            if kind.lower() == "basic" and (key := _password(given)):
                others = [pair for pair in scope["headers"] if pair[0].lower() != b"authorization"]
                scope = {**scope, "headers": [*others, (b"authorization", b"Bearer " + key.encode())]}
        await self._app(scope, receive, send)


def _password(given: str) -> str | None:
    try:
        return base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return None
