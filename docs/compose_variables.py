"""The variables that ``compose.yaml`` reads beside the settings of the two processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ComposeVariable:
    """One of them."""

    name: str
    default: str
    meaning: str
    example: str | None = None
    """What ``.env.example`` sets it to, where that is not the default."""


COMPOSE_VARIABLES = (
    ComposeVariable(
        "COMPOSE_PROFILES",
        "",
        "gateway runs IB Gateway too; --profile demo on the command line replaces it.",
        "gateway",
    ),
    ComposeVariable("IBKR_USERID", "", "Login of the live account."),
    ComposeVariable("IBKR_PASSWORD", "", "Its password."),
    ComposeVariable("IBKR_USERID_PAPER", "", "Login of the paper account; it is not the live one."),
    ComposeVariable("IBKR_PASSWORD_PAPER", "", "Its password."),
    ComposeVariable("SECOND_IBKR_USERID", "", "Live login of deploy/compose/second-login.yaml."),
    ComposeVariable("SECOND_IBKR_PASSWORD", "", "Its password."),
    ComposeVariable("SECOND_IBKR_USERID_PAPER", "", "Paper login of deploy/compose/second-login.yaml."),
    ComposeVariable("SECOND_IBKR_PASSWORD_PAPER", "", "Its password."),
    ComposeVariable(
        "IBKR_EXISTING_SESSION_ACTION",
        "primary",
        "When the owner signs in elsewhere: primary keeps this session or takes it back, secondary gives way, "
        "manual waits for a person at the screen.",
    ),
    ComposeVariable(
        "IBKR_BYPASS_WARNING",
        "",
        "yes sends API orders past the gateway's order precautions, no applies them; empty leaves its own setting.",
    ),
    ComposeVariable("VNC_PASSWORD", "", "Shows the gateway's screen on 127.0.0.1:VNC_PORT; empty: no VNC server."),
    ComposeVariable("VNC_PORT", "5900", "Port of that screen."),
    ComposeVariable("FRONTEND_REPLICAS", "2", "How many frontends serve behind the load balancer, at most 16."),
    ComposeVariable("BIND_ADDRESS", "127.0.0.1", "Address on which the load balancer publishes SERVER_PORT."),
    ComposeVariable("REDIS_PASSWORD", "", "Password of the Redis beside it; empty: one is made and kept."),
    ComposeVariable("FRONTEND_IMAGE", "ibkr-bridge-frontend", "Image of the frontends, built if it is not there.", ""),
    ComposeVariable("WORKER_IMAGE", "ibkr-bridge-worker", "Image of the worker, built if it is not there.", ""),
    ComposeVariable("REDIS_IMAGE", "redis:8-alpine", "Image of Redis.", ""),
    ComposeVariable("LB_IMAGE", "haproxy:3.2-alpine", "Image of the load balancer.", ""),
    ComposeVariable("IB_GATEWAY_IMAGE", "ghcr.io/gnzsnz/ib-gateway:10.45.1j", "Image of IB Gateway, by exact tag.", ""),
    ComposeVariable("PYTHON_IMAGE", "python:3.13-slim", "What both images are built on.", ""),
    ComposeVariable("UV_IMAGE", "ghcr.io/astral-sh/uv:0.13", "What installs their packages.", ""),
)


def compose_table() -> str:
    """The variables as rows of a Markdown table."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    lines += [f"| `{v.name}` | {f'`{v.default}`' if v.default else ''} | {v.meaning} |" for v in COMPOSE_VARIABLES]
    return "\n".join(lines)
