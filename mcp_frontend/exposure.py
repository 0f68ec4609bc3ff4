"""Whether a frontend may start as it is configured: what is open to whom. Money is not open by accident."""

from __future__ import annotations

from mcp_frontend.settings import FrontendSettings


def refusals(settings: FrontendSettings, *, over_http: bool) -> list[str]:
    """Why this frontend must not start; empty where it may.

    Over standard input and output nobody needs to prove who they are: whoever can start the process could read its
    environment too.
    """
    secret = bool(settings.job_signing_secret.get_secret_value())
    live = settings.ibkr_trading_mode == "live"
    found: list[str] = []
    if live and not secret:
        found.append("JOB_SIGNING_SECRET is needed for live trading: the worker takes no unsigned job")
    if not over_http:
        return found
    if live and not settings.authentication:
        found.append("AUTHENTICATION is needed for live trading, for example AUTHENTICATION=keys")
    if "keys" in settings.authentication and not secret:
        found.append("JOB_SIGNING_SECRET is needed for AUTHENTICATION=keys: keys are signed with it")
    if "jwt" in settings.authentication:
        found += _missing_for_jwt(settings)
    if not settings.loopback_only and not settings.authentication and not settings.allow_unauthenticated_network:
        found.append(
            f"{settings.reached_at} (SERVER_HOST, PUBLISHED_ON) is open to the network and nobody has to prove who "
            "they are: set AUTHENTICATION=keys, or ALLOW_UNAUTHENTICATED_NETWORK=true where something else keeps "
            "others out"
        )
    return found


def _missing_for_jwt(settings: FrontendSettings) -> list[str]:
    found: list[str] = []
    if bool(settings.jwt_jwks_uri) == bool(settings.jwt_public_key):
        found.append("JWT_JWKS_URI or JWT_PUBLIC_KEY is needed for AUTHENTICATION=jwt, and not both")
    if not settings.jwt_issuer:
        found.append("JWT_ISSUER is needed for AUTHENTICATION=jwt")
    if not settings.jwt_audience:
        found.append("JWT_AUDIENCE is needed for AUTHENTICATION=jwt: a token meant for others must not open this")
    return found


def warning(settings: FrontendSettings) -> str | None:
    """What must be said loudly at the start over HTTP; None where nothing must."""
    if settings.loopback_only or settings.authentication:
        return None
    may = "read every account" if settings.readonly else "READ EVERY ACCOUNT AND PLACE PAPER ORDERS"
    return (
        f"Listening on {settings.reached_at} WITHOUT AUTHENTICATION: whoever can reach port {settings.server_port} "
        f"may {may}. Keep it behind a firewall or a proxy that authenticates, or set AUTHENTICATION=keys."
    )
