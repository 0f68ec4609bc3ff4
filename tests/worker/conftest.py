"""The worker's tests use a fake Redis, a simulated gateway on a real socket, and no frontend."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .harness import Bridge


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    """A worker that serves a gateway of its own: for tests that trade or break something."""
    async with Bridge() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_bridge() -> AsyncIterator[Bridge]:
    """One worker for all the queries of a module, which change nothing."""
    async with Bridge() as opened:
        yield opened
