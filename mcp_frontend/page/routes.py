"""``GET /``: the page behind the same keys as the tools, and the headers that let a browser run nothing in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from fastmcp import FastMCP
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from mcp_frontend.callers import Identify
from mcp_frontend.page.facts import FactFinder
from mcp_frontend.page.login import ASK
from mcp_frontend.page.view import STYLE, page
from shared.contract import Scope
from shared.errors import NotPermitted

PATH = "/"

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

HEADERS = {
    # Nothing is loaded, run, framed or submitted; the one style sheet is known by its hash.
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def add_status_page(server: FastMCP[object], finders: Mapping[str, FactFinder], identify: Identify) -> None:
    """Add the page of each gateway session: the first one's, and with ``?session=NAME`` any other's.

    FastMCP guards only its own endpoint, so who asks is looked at here.
    """

    async def status_page(request: Request) -> Response:
        try:
            caller = identify()
        except NotPermitted:
            return _refused(401, "This page needs an API key: any name, and the key as the password.", ASK)
        if Scope.READ not in caller.scopes:
            return _refused(403, "This key may not read.")
        session = request.query_params.get("session", next(iter(finders)))
        if session not in finders:
            return _refused(404, "There is no such gateway session here.")
        facts = await finders[session].facts(caller)
        return HTMLResponse(page(facts, session=session, sessions=list(finders), caller=caller.name), headers=HEADERS)

    server.custom_route(PATH, methods=["GET"])(status_page)


def _refused(status: int, why: str, more: Mapping[str, str] = MappingProxyType({})) -> Response:
    return PlainTextResponse(why, status_code=status, headers={**HEADERS, **more})
