"""Who a bearer token belongs to: an API key of ours, or a token of an identity provider, by FastMCP's verifiers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import Any, cast

from fastmcp.server.auth import AccessToken, AuthProvider, JWTVerifier, RemoteAuthProvider, TokenVerifier
from fastmcp.server.dependencies import get_access_token
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
from pydantic import AnyHttpUrl, SkipValidation
from starlette.authentication import AuthenticationError
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from mcp_frontend.callers import Caller
from mcp_frontend.keys import KeyRing, is_key
from mcp_frontend.settings import FrontendSettings
from shared.contract import Scope
from shared.errors import NotPermitted
from shared.redis_store import RedisAway

log = logging.getLogger(__name__)

_LONGEST_NAME = 64


class CallerToken(AccessToken):
    """A token that was checked, and whose it is."""

    caller: SkipValidation[Caller]


class Gatekeeper(TokenVerifier):
    """Accepts what the settings allow. A token is only looked at, never passed on."""

    def __init__(self, settings: FrontendSettings, keys: KeyRing | None) -> None:
        super().__init__()
        self._keys = keys
        self._tokens = _jwt_verifier(settings) if "jwt" in settings.authentication else None
        self._settings = settings

    async def verify_token(self, token: str) -> AccessToken | None:
        """The token's caller; None, which becomes 401, where it has none. Redis being away becomes 503, not 401."""
        if is_key(token):
            return await self._of_key(token)
        checked = await self._tokens.verify_token(token) if self._tokens is not None else None
        return self._of_provider(checked) if checked is not None else None

    async def _of_key(self, token: str) -> AccessToken | None:
        if self._keys is None:
            return None
        try:
            caller = await self._keys.caller(token)
        except RedisAway as error:
            raise AuthenticationError("Redis cannot be reached, where the keys are") from error
        if caller is None:
            log.info("a request with an unknown, revoked or expired API key was refused")
            return None
        scopes = [scope.value for scope in caller.scopes]
        return CallerToken(token=caller.name, client_id=caller.name, scopes=scopes, caller=caller)

    def _of_provider(self, checked: AccessToken) -> AccessToken | None:
        settings = self._settings
        subject = checked.claims.get("sub")
        accounts = _accounts(checked.claims, settings.jwt_accounts_claim)
        if not isinstance(subject, str) or not subject or accounts == frozenset():
            log.info("a token of the identity provider was refused: it names no subject, or no account")
            return None
        given = {scope.removeprefix(settings.jwt_scope_prefix) for scope in checked.scopes}
        caller = Caller(
            name=_caller_name(subject),
            scopes=frozenset(scope for scope in Scope if scope.value in given),
            accounts=accounts,
            authenticated=True,
            calls_per_minute=settings.calls_per_minute,
        )
        return CallerToken(
            token=caller.name,
            client_id=caller.name,
            scopes=[scope.value for scope in caller.scopes],
            expires_at=checked.expires_at,
            caller=caller,
        )


def _jwt_verifier(settings: FrontendSettings) -> JWTVerifier:
    return JWTVerifier(
        public_key=settings.jwt_public_key.replace("\\n", "\n") or None,
        jwks_uri=settings.jwt_jwks_uri or None,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        algorithm=settings.jwt_algorithm,
    )


def _accounts(claims: Mapping[str, Any], claim: str) -> frozenset[str] | None:
    """The accounts a token names; None, all, only where no claim is set to name them."""
    if not claim:
        return None
    value: object = claims.get(claim)
    if isinstance(value, str):
        return frozenset(value.upper().replace(",", " ").split())
    if isinstance(value, list):
        return frozenset(name.upper() for name in cast("list[object]", value) if isinstance(name, str) and name)
    return frozenset()


def _caller_name(subject: str) -> str:
    """A name that no API key can have; a long subject by its hash."""
    if len(subject) > _LONGEST_NAME or not subject.isprintable():
        subject = hashlib.sha256(subject.encode(errors="replace")).hexdigest()[:32]
    return f"jwt:{subject}"


class _Outage503:
    """What both providers answer where a token could not be checked: asking again may help, signing in anew not."""

    def get_middleware(self) -> list[Middleware]:
        """FastMCP's own two, the first with an answer to an outage."""
        backend = BearerAuthBackend(cast("Any", self))
        return [
            Middleware(AuthenticationMiddleware, backend=backend, on_error=_unavailable),
            Middleware(AuthContextMiddleware),
        ]


def _unavailable(_: HTTPConnection, error: Exception) -> Response:
    body = {"error": "temporarily_unavailable", "error_description": str(error)}
    return JSONResponse(body, status_code=503, headers={"retry-after": "2"})


class _Verifying(_Outage503, Gatekeeper):
    """Checks tokens."""


class _Discoverable(_Outage503, RemoteAuthProvider):
    """Checks tokens, and tells clients where to get one (RFC 9728)."""


def provider(settings: FrontendSettings, keys: KeyRing | None) -> AuthProvider | None:
    """What guards the endpoint; None where the settings want no authentication."""
    if not settings.authentication:
        return None
    if not (settings.jwt_authorization_server and settings.public_url):
        return _Verifying(settings, keys)
    return _Discoverable(
        Gatekeeper(settings, keys),
        authorization_servers=[AnyHttpUrl(settings.jwt_authorization_server)],
        base_url=settings.public_url,
        scopes_supported=[f"{settings.jwt_scope_prefix}{scope.value}" for scope in Scope],
    )


def token_caller() -> Caller:
    """Whose token came with the request now being served."""
    token = get_access_token()
    if not isinstance(token, CallerToken):
        raise NotPermitted("the request carries no key", action="send the header Authorization: Bearer KEY")
    return token.caller
