"""What both processes' Prometheus metrics have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
"""Bounds of the histograms: every call is answered within 25 s."""

Observe = Callable[[str, str, float], None]
"""Notes the end of a call or job: the tool's name, what came of it, the seconds it took."""


def unobserved(tool: str, outcome: str, seconds: float) -> None:
    """Where nobody measures."""
