"""What a newcomer is promised of ``make demo``."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from redis import Redis

from demo.child import ROOT
from tests.conftest import free_port
from tests.demo.conftest import StartDemo, free_ports

pytestmark = pytest.mark.timeout(180)


async def test_it_is_ready_serves_every_kind_of_tool_and_ends_on_ctrl_c_leaving_nothing(start_demo: StartDemo) -> None:
    # A real gateway's settings in the environment must not reach the demo.
    demo = await start_demo(IBKR_TRADING_MODE="live", IBKR_HOST="192.0.2.1", GATEWAY_SESSION="main")
    await demo.says("Ctrl-C stops everything.")
    assert f"claude mcp add --transport http ibkr {demo.url}" in demo.output
    assert "paper trading at the simulated gateway, account DU1234567; orders are accepted" in demo.output
    async with Client(demo.url) as client:
        status = (await client.call_tool("get_status")).structured_content
        order = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 1, "client_order_id": "demo-1"}
        placed = (await client.call_tool("place_limit_order", order)).structured_content
    assert status is not None
    assert status["ready"]
    assert status["worker"]["trading_mode"] == "paper"
    assert placed is not None
    assert placed["state"] == "WORKING"

    demo.signal_group(signal.SIGINT)
    assert await demo.ends() == 0
    assert "Traceback" not in demo.output
    assert demo.processes() == []
    assert list(demo.folder.iterdir()) == []


async def test_two_frontends_share_a_given_redis_which_is_left_as_it_was(start_demo: StartDemo, valkey: str) -> None:
    demo = await start_demo("--frontends", "2", port=free_ports(2), REDIS_URL=valkey, READONLY="yes")
    await demo.says("Ctrl-C stops everything.")
    assert "READONLY, orders are refused" in demo.output
    for port in (demo.port, demo.port + 1):
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            status = (await client.call_tool("get_status")).structured_content
        assert status is not None
        assert status["readonly"]
    assert not [command for _, command in demo.processes() if "valkey" in command]

    demo.signal_group(signal.SIGTERM)
    assert await demo.ends() == 0
    assert demo.processes() == []
    with Redis.from_url(valkey) as redis:
        assert redis.keys("ibkr:*") == []


async def test_a_dead_worker_ends_the_demo_which_says_who_and_how_and_keeps_the_logs(start_demo: StartDemo) -> None:
    demo = await start_demo()
    await demo.says("Ctrl-C stops everything.")
    demo.kill_child("broker_worker")
    assert await demo.ends() == 1
    assert "demo: the worker was ended by SIGKILL" in demo.output
    assert "Traceback" not in demo.output
    assert demo.processes() == []
    assert [path.name for path in demo.folder.glob("*/worker.log")] == ["worker.log"]


async def test_even_a_killed_supervisor_leaves_no_process(start_demo: StartDemo) -> None:
    demo = await start_demo()
    await demo.says("Ctrl-C stops everything.")
    demo.kill()
    assert await demo.ends() == -signal.SIGKILL
    await demo.nothing_is_left()


async def test_over_stdio_it_lives_as_long_as_its_client(short_folder: Path) -> None:
    transport = StdioTransport(
        sys.executable, ["-m", "demo", "--stdio"], env={"TMPDIR": str(short_folder)}, cwd=str(ROOT), keep_alive=False,
        log_file=short_folder / "said",
    )  # fmt: skip
    async with Client(transport) as client:
        async with asyncio.timeout(90):
            await _until_ready(client)
        price = (await client.call_tool("get_stock_price", {"symbol": "AAPL"})).structured_content
    assert price is not None
    assert price["currency"] == "USD"
    async with asyncio.timeout(30):
        while len(os.listdir(short_folder)) > 1:  # noqa: ASYNC110, PTH208 - another process empties it
            await asyncio.sleep(0.05)
    assert "Traceback" not in (short_folder / "said").read_text()


async def test_ctrl_c_before_it_is_ready_ends_it_quietly(start_demo: StartDemo) -> None:
    demo = await start_demo()
    await demo.says("Starting")
    demo.signal_group(signal.SIGINT)
    assert await demo.ends() == 0
    assert demo.output.count("\n") == 1
    assert demo.processes() == []
    assert list(demo.folder.iterdir()) == []


async def test_a_taken_port_is_named_with_the_variable_that_changes_it(start_demo: StartDemo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        demo = await start_demo(port=taken.getsockname()[1])
        assert await demo.ends() == 1
    assert demo.output == (
        f"demo: cannot listen on 127.0.0.1 port {demo.port}: {os.strerror(errno.EADDRINUSE)}; "
        "choose another, as in SERVER_PORT=18080 make demo\n"
    )
    assert list(demo.folder.iterdir()) == []


async def test_a_wrong_variable_is_named_before_anything_starts(start_demo: StartDemo) -> None:
    demo = await start_demo(READONLY="perhaps", IBKR_CLIENT_ID="-1")
    assert await demo.ends() == 1
    assert "READONLY must be" in demo.output
    assert "Starting" not in demo.output


async def test_a_redis_that_is_away_is_named_without_its_password(start_demo: StartDemo) -> None:
    demo = await start_demo(REDIS_URL=f"redis://:secret@127.0.0.1:{free_port()}/0")
    assert await demo.ends() == 1
    assert "Redis at 127.0.0.1 (REDIS_URL) cannot be reached" in demo.output
    assert "secret" not in demo.output
    assert demo.output.count("\n") == 1


async def test_a_temporary_folder_with_a_long_name_does_not_keep_it_from_starting(
    start_demo: StartDemo, tmp_path: Path
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    demo = await start_demo(TMPDIR=str(long))
    await demo.says("READY")
    demo.signal_group(signal.SIGINT)
    assert await demo.ends() == 0


async def _until_ready(client: Client[Any]) -> None:
    while not ((await client.call_tool("get_status")).structured_content or {}).get("ready"):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
