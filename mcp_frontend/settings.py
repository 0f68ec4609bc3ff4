"""The frontend's settings."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from shared.contract import TOOLSETS
from shared.settings import BridgeSettings, Port

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


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Comma-separated in the environment."""


class FrontendSettings(BridgeSettings):
    """What the frontend reads beside the shared settings."""

    server_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. Beyond loopback anybody who can reach it may call the tools.",
    )
    server_port: Port = Field(default=8080, description="Port to listen on; the endpoint is /mcp.")
    allowed_hosts: Names = Field(
        default=(),
        description="Host names clients may use beside loopback's, comma-separated: those of a proxy in front.",
    )
    allowed_origins: Names = Field(
        default=(), description="Web origins whose pages may call, comma-separated, such as https://agent.example."
    )
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
        description="How long it serves on before that, with /livez and /readyz at 503, so that a balancer sees it.",
    )

    @property
    def loopback_only(self) -> bool:
        """Whether only this machine can connect."""
        return self.server_host.lower() in LOOPBACK or self.server_host.startswith("127.")
