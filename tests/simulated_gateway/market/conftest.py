"""A market that stands still on Monday 23 November 2026, 10:07:03 in New York."""

from datetime import UTC, datetime

import pytest

from simulated_gateway.catalogue import Catalogue
from simulated_gateway.clock import ManualClock
from simulated_gateway.market import Market


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 23, 15, 7, 3, tzinfo=UTC))


@pytest.fixture
def catalogue(clock: ManualClock) -> Catalogue:
    return Catalogue(clock)


@pytest.fixture
def market(catalogue: Catalogue, clock: ManualClock) -> Market:
    return Market(catalogue, clock, seed=7)
