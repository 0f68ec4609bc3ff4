"""Who may connect, and what the process says about it."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from mcp_frontend.exposure import warning
from mcp_frontend.http import listen
from mcp_frontend.settings import FrontendSettings
from shared.settings import load, table
from tests.conftest import free_port
from tests.frontend.conftest import HEADERS, Served, legacy_call, modern_call, modern_headers, serve
from tests.frontend.standin import StandInWorker

STATUS = legacy_call("get_status", {})


async def test_a_foreign_host_is_refused_everywhere(served: Served) -> None:
    assert (await served.post(STATUS, host="evil.example")).status_code == 421
    for path in ("/livez", "/healthz", "/readyz"):
        assert (await served.get(path, host="evil.example")).status_code == 421


async def test_a_foreign_origin_is_refused(served: Served) -> None:
    for origin in ("http://evil.example", "https://localhost.evil.example", "null"):
        assert (await served.post(STATUS, origin=origin)).status_code == 403


async def test_loopback_names_are_welcome(served: Served) -> None:
    for host in ("127.0.0.1", "localhost:8080", "[::1]"):
        assert (await served.post(STATUS, host=host)).status_code == 200
    assert (await served.post(STATUS, origin="http://localhost:6274")).status_code == 200


async def test_spaces_around_a_headers_value_are_no_part_of_it(served: Served, worker: StandInWorker) -> None:
    body = json.dumps(modern_call("get_positions", {}))
    headers = HEADERS | modern_headers("get_positions") | {"host": "localhost", "content-length": str(len(body))}
    headers |= {"mcp-name": "  get_positions \t", "connection": "close"}  # more than a client's library would send
    lines = ["POST /mcp HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", body]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(served.url.rpartition(":")[2]))
    writer.write("\r\n".join(lines).encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 "), answer


async def test_configured_hosts_and_origins_are_welcome_and_no_others(valkey: str) -> None:
    async with serve(valkey, allowed_hosts="bridge.example", allowed_origins="https://agent.example") as served:
        assert (await served.post(STATUS, host="bridge.example")).status_code == 200
        assert (await served.post(STATUS, host="other.example")).status_code == 421
        assert (await served.post(STATUS, origin="https://agent.example")).status_code == 200
        assert (await served.post(STATUS, origin="https://other.example")).status_code == 403


async def test_the_start_waits_for_nobody() -> None:
    async with serve(f"redis://127.0.0.1:{free_port()}/0") as served:
        for path in ("/livez", "/healthz"):
            assert (await served.get(path)).status_code == 200
        response = await served.get("/readyz")
        assert (response.status_code, response.json()["reason"]) == (503, "Redis cannot be reached")


def test_listening_beyond_loopback_without_authentication_is_loud() -> None:
    assert warning(FrontendSettings(server_host="127.0.0.1")) is None
    assert warning(FrontendSettings(server_host="0.0.0.0", authentication="keys")) is None
    open_to_all = warning(FrontendSettings(server_host="0.0.0.0")) or ""
    assert "WITHOUT AUTHENTICATION" in open_to_all
    assert "PLACE PAPER ORDERS" in open_to_all
    assert "PLACE PAPER ORDERS" not in (warning(FrontendSettings(server_host="0.0.0.0", readonly=True)) or "")


def test_a_taken_port_ends_the_process_with_the_names_of_the_settings() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(SystemExit, match="SERVER_HOST, SERVER_PORT"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_lists_in_the_environment_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example, b.example,")
    monkeypatch.setenv("TOOLSETS", "")
    settings = load(FrontendSettings)
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.toolsets == ()
    assert settings.server_host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value"),
    [("TOOLSETS", "weather"), ("SERVER_PORT", "0"), ("READONLY", "maybe"), ("SHUTDOWN_GRACE_SECONDS", "-1")],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=name):
        load(FrontendSettings)


def test_the_table_of_settings_shows_no_python() -> None:
    assert "()" not in table(FrontendSettings)


def test_a_connection_does_not_hold_back_small_pieces() -> None:
    listening = listen("127.0.0.1", 0)
    with listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
