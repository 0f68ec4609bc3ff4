"""What both processes' Prometheus metrics have in common: how calls and jobs are counted and timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
"""Bounds of the histograms: every call is answered within 25 s."""

Observe = Callable[[str, str, float], None]
"""Notes the end of a call or job: the tool's name, what came of it, the seconds it took."""


def unobserved(tool: str, outcome: str, seconds: float) -> None:
    """Where nobody measures."""


class Ends:
    """Counts ends by name and outcome, and times them by name."""

    def __init__(self, registry: CollectorRegistry, prefix: str, label: str, counted: str, timed: str) -> None:
        self._count = Counter(f"{prefix}s", counted, [label, "outcome"], registry=registry)
        self._seconds = Histogram(f"{prefix}_seconds", timed, [label], buckets=SECONDS, registry=registry)
        # Looking a child up by its labels takes twice as long as using it.
        self._children: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def observe(self, name: str, outcome: str, seconds: float) -> None:
        """One has ended."""
        children = self._children.get((name, outcome))
        if children is None:
            children = self._count.labels(name, outcome), self._seconds.labels(name)
            self._children[name, outcome] = children
        children[0].inc()
        children[1].observe(seconds)
