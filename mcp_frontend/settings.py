"""The frontend's settings."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from shared.contract import TOOLSETS
from shared.settings import SESSION_NAME, BridgeSettings, Port, Switch

AREAS = tuple(dict.fromkeys(toolset.toolset for toolset in TOOLSETS))
"""The areas of tools, in the order they are listed."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(part for part in (piece.strip() for piece in value.split(",")) if part)


def _known_areas(areas: tuple[str, ...]) -> tuple[str, ...]:
    known = list(AREAS)
    unknown = [area for area in areas if area not in known]
    if unknown:
        raise ValueError(f"must list areas of {', '.join(known)}; {', '.join(unknown)} is none of them")
    return areas


def _known_ways(ways: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [way for way in ways if way not in {"keys", "jwt"}]:
        raise ValueError(f"must be keys, jwt, both or empty; {', '.join(unknown)} is neither")
    return ways


def _session_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if wrong := [name for name in names if not re.fullmatch(SESSION_NAME, name)]:
        raise ValueError(f"must list names of small letters, digits and dashes; {', '.join(wrong)} is none")
    if len(set(names)) < len(names):
        raise ValueError("must name each gateway session once")
    return names


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Comma-separated in the environment."""


class FrontendSettings(BridgeSettings):
    """What the frontend reads beside the shared settings."""

    further_gateway_sessions: Annotated[Names, AfterValidator(_session_names)] = Field(
        default=(),
        description="Gateway sessions served beside GATEWAY_SESSION, comma-separated; the account chooses.",
    )
    server_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. Beyond loopback it needs AUTHENTICATION, or an explicit word without it.",
    )
    published_on: str = Field(
        default="",
        description="Address of a proxy in front, where nothing but it reaches SERVER_HOST; empty: SERVER_HOST itself.",
    )
    server_port: Port = Field(default=8080, description="Port to listen on; the endpoint is /mcp.")
    allowed_hosts: Names = Field(
        default=(),
        description="Host names clients may use beside loopback's, comma-separated: those of a proxy in front.",
    )
    allowed_origins: Names = Field(
        default=(), description="Web origins whose pages may call, comma-separated, such as https://agent.example."
    )
    authentication: Annotated[Names, AfterValidator(_known_ways)] = Field(
        default=(),
        description="How callers over HTTP prove who they are: keys (python -m mcp_frontend keys), jwt, or both. "
        "Empty: not at all, and only paper is served.",
    )
    allow_unauthenticated_network: Switch = Field(
        default=False,
        description="Listen beyond loopback without AUTHENTICATION; whoever gets there may do everything.",
    )
    calls_per_minute: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Calls a minute of each identity that comes with a JWT; 0: no limit. A key has its own.",
    )
    jwt_jwks_uri: str = Field(default="", description="Where the identity provider publishes its keys.")
    jwt_public_key: str = Field(default="", description="Or its public key itself, as PEM.")
    jwt_issuer: str = Field(default="", description="The only issuer whose tokens are taken.")
    jwt_audience: str = Field(
        default="", description="What a token's audience must be: this server's name at the issuer."
    )
    jwt_algorithm: Literal[
        "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA", "Ed25519"
    ] = Field(default="RS256", description="How its tokens are signed.")
    jwt_scope_prefix: str = Field(
        default="", description="What stands before read, preview and trade in its scopes, such as ibkr: or https://…/."
    )
    jwt_accounts_claim: str = Field(
        default="",
        description="Claim that lists a token's accounts; one without it is then refused. Empty: all accounts.",
    )
    jwt_authorization_server: str = Field(
        default="", description="With PUBLIC_URL: where clients are told to get a token (RFC 9728)."
    )
    public_url: str = Field(default="", description="This server's address as clients see it, without /mcp.")
    toolsets: Annotated[Names, AfterValidator(_known_areas)] = Field(
        default=(),
        description=f"Areas of tools to offer, comma-separated; empty: all. {', '.join(AREAS)}.",
    )
    shutdown_grace_seconds: float = Field(
        default=26.0,
        ge=0,
        le=600,
        description="How long running calls may still take once the process is told to stop.",
    )

    shutdown_notice_seconds: float = Field(
        default=0.0,
        ge=0,
        le=60,
        description="How long it serves on before that, with /healthz and /readyz at 503, so that a balancer sees it.",
    )

    @property
    def sessions(self) -> tuple[str, ...]:
        """Every gateway session served; API keys and rates are kept under the first."""
        return tuple(dict.fromkeys((self.gateway_session, *self.further_gateway_sessions)))

    @property
    def reached_at(self) -> str:
        """The address at which others find it."""
        return self.published_on or self.server_host

    @property
    def loopback_only(self) -> bool:
        """Whether only this machine can connect."""
        reached = self.reached_at.lower()
        return reached in LOOPBACK or reached.startswith("127.")
