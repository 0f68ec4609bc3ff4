"""A gateway on a free port at a quiet moment: Wednesday, 2025-11-19, 11:00 in New York, prices standing still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from simulated_gateway import GatewayConfig, ManualClock, SimulatedGateway

from .clients import QUICK_BEAT

TRADING_HOURS = datetime(2025, 11, 19, 16, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(TRADING_HOURS, running=True)


@pytest.fixture
async def gateway(clock: ManualClock) -> AsyncIterator[SimulatedGateway]:
    config = GatewayConfig(beat_seconds=QUICK_BEAT, market_moves=False)
    async with SimulatedGateway(config, clock) as opened:
        yield opened
