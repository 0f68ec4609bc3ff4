"""OpenTelemetry traces, where switched on: one from the HTTP request through the job to the messages for the gateway.

Off, as by default, nothing of OpenTelemetry's SDK is imported and a span is one look at a variable. What is told are
names of tools, callers and states, never an argument, an account or the text of an error.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Literal, Protocol

_NO_SPAN: Final[AbstractContextManager[Any]] = nullcontext()


class Tracing(Protocol):
    """Whoever makes the spans."""

    def span(self, name: str, kind: str, parent: str, facts: Mapping[str, str]) -> AbstractContextManager[Any]:
        """A span until the block ends."""
        ...

    def note(self, facts: Mapping[str, str | int]) -> None:
        """Add facts to the open span."""
        ...

    def carried(self) -> str:
        """The open span as another process can continue it."""
        ...


_tracing: Tracing | None = None


def start(service: str, session: str) -> None:
    """Send traces from now on, to where the OTEL_* variables say; ends the process where the packages are missing."""
    try:
        from shared.open_telemetry import OpenTelemetry  # noqa: PLC0415 - installed only where it is wanted
    except ImportError as error:
        sys.exit(f"TRACES is set and its packages, those of requirements-traces.lock, are not installed: {error}")
    use(OpenTelemetry(service, session))


def use(tracing: Tracing | None) -> None:
    """Make spans by this from now on; None: make none."""
    global _tracing  # noqa: PLW0603 - as in OpenTelemetry itself, there is one for each process
    _tracing = tracing


def on() -> bool:
    """Whether somebody makes spans."""
    return _tracing is not None


def span(
    name: str, kind: Literal["internal", "server", "consumer"] = "internal", parent: str = "", **facts: str
) -> AbstractContextManager[Any]:
    """A span until the block ends; ``parent`` is another process's, as its ``carried`` gave it."""
    return _NO_SPAN if _tracing is None else _tracing.span(name, kind, parent, facts)


def note(**facts: str | int) -> None:
    """Add facts to the span that is open now."""
    if _tracing is not None:
        _tracing.note(facts)


def carried() -> str:
    """The open span as another process can continue it (W3C traceparent); empty while traces are off."""
    return "" if _tracing is None else _tracing.carried()
