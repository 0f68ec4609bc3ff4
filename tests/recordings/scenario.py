"""A scenario: what its gateway is like, and what happens on its stage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simulated_gateway import GatewayConfig, OpeningPosition

from .stage import Stage

Play = Callable[[Stage], Awaitable[None]]

_SMALL: Mapping[str, Any] = {
    "market_moves": False,
    "opening_positions": (OpeningPosition(symbol="AAPL", quantity=Decimal(100), cost=Decimal("151.20")),),
}
"""One holding and a market that stands still: a reader sees what a scenario is about, and little else."""


@dataclass(frozen=True)
class Scenario:
    """One pair of files, or one pair for each layout of the protocol."""

    name: str
    about: str
    play: Play
    gateway: Mapping[str, Any]
    settings: Mapping[str, Any]
    every_layout: bool
    """Whether it is recorded at every server version whose messages differ from those of the version before."""

    def config(self, version: int) -> GatewayConfig:
        """Its gateway at a server version."""
        return GatewayConfig(**{**_SMALL, **self.gateway, "server_version": version})


SCENARIOS: dict[str, Scenario] = {}
"""Every scenario by its name; the modules that hold them put them here."""


def scenario(
    *, gateway: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None, every_layout: bool = False
) -> Callable[[Play], Play]:
    """Put a scenario among all of them, under the name of its function."""

    def add(play: Play) -> Play:
        name = str(getattr(play, "__name__", ""))
        SCENARIOS[name] = Scenario(name, play.__doc__ or "", play, gateway or {}, settings or {}, every_layout)
        return play

    return add
