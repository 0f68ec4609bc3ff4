"""The process as people start it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import mcp
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from mcp.client.stdio import StdioServerParameters
from mcp_types import CallToolResult

from shared.contract import OPERATIONS
from tests.conftest import free_port
from tests.frontend.conftest import HEADERS, content_of, legacy_call, modern_call, modern_headers
from tests.frontend.standin import SECRET, StandInWorker
from tests.frontend.test_answers import ARGUMENTS
from tests.frontend.test_bad_days import until

COMMAND = [sys.executable, "-m", "mcp_frontend"]


def environment(redis_url: str, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "REDIS_URL": redis_url, "JOB_SIGNING_SECRET": SECRET} | more


@asynccontextmanager
async def started(*arguments: str, env: dict[str, str], **streams: Any) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, env=env, **streams)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_told_to_stop_it_finishes_running_calls_and_exits_with_0(valkey: str, worker: StandInWorker) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    usual, told = worker.answer, asyncio.Event()

    async def hold(*given: Any) -> Any:
        await told.wait()
        return await usual(*given)

    worker.answer = hold
    env = environment(valkey, SERVER_PORT=str(port), SHUTDOWN_GRACE_SECONDS="10")
    async with started(env=env, stdout=PIPE, stderr=PIPE) as process, httpx2.AsyncClient(timeout=20) as http:

        async def alive() -> bool:
            try:
                return (await http.get(f"{url}/livez")).status_code == 200
            except httpx2.TransportError:
                return False

        async def refused() -> bool:
            return not await alive()

        async def both_begun() -> bool:
            return len(worker.envelopes) == 2

        await until(alive, 30)
        legacy = asyncio.create_task(http.post(f"{url}/mcp", json=legacy_call("get_positions", {}), headers=HEADERS))
        headers = HEADERS | modern_headers("place_market_order")
        body = modern_call("place_market_order", ARGUMENTS["place_market_order"])
        modern = asyncio.create_task(http.post(f"{url}/mcp", json=body, headers=headers))
        await until(both_begun)
        process.send_signal(signal.SIGTERM)
        await until(refused)
        told.set()
        assert '"count":1' in (await legacy).text
        assert (await modern).json()["result"]["structuredContent"]["state"] == "WORKING"
        assert process.stderr is not None
        assert await asyncio.wait_for(process.wait(), 10) == 0
        lines = [json.loads(line) for line in (await process.stderr.read()).splitlines()]
        assert [line["outcome"] for line in lines if line["logger"] == "mcp_frontend.calls"] == ["OK", "OK"]


async def test_told_to_stop_it_says_so_first_and_still_serves(valkey: str, worker: StandInWorker) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = environment(valkey, SERVER_PORT=str(port), SHUTDOWN_NOTICE_SECONDS="60")
    async with started(env=env, stdout=DEVNULL, stderr=DEVNULL) as process, httpx2.AsyncClient(timeout=20) as http:

        async def says(path: str) -> tuple[int, str]:
            try:
                answer = await http.get(url + path)
            except httpx2.TransportError:
                return 0, "nothing"
            return answer.status_code, answer.json().get("reason", "")

        async def alive() -> bool:
            return (await says("/livez"))[0] == 200

        async def stopping() -> bool:
            return await says("/readyz") == (503, "stopping") and (await says("/healthz"))[0] == 503

        await until(alive, 30)
        process.send_signal(signal.SIGTERM)
        await until(stopping)
        assert (await says("/livez"))[0] == 200, "whatever restarts dead processes must let this one drain"
        async with httpx2.AsyncClient() as newcomer:  # on a connection of its own
            answer = await newcomer.post(f"{url}/mcp", json=legacy_call("get_positions", {}), headers=HEADERS)
        assert '"count":1' in answer.text
        assert process.returncode is None
        process.send_signal(signal.SIGTERM)  # asked a second time it ends at once
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_its_notice_over_it_stops_by_itself(valkey: str, worker: StandInWorker) -> None:
    port = free_port()
    env = environment(valkey, SERVER_PORT=str(port), SHUTDOWN_NOTICE_SECONDS="0.5")
    async with started(env=env, stdout=DEVNULL, stderr=DEVNULL) as process, httpx2.AsyncClient(timeout=20) as http:

        async def alive() -> bool:
            try:
                return (await http.get(f"http://127.0.0.1:{port}/livez")).status_code == 200
            except httpx2.TransportError:
                return False

        await until(alive, 30)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_over_stdio_both_python_clients_get_every_tools_answer(valkey: str, worker: StandInWorker) -> None:
    env = environment(valkey)

    async def with_fastmcp() -> None:
        async with Client(StdioTransport(COMMAND[0], [*COMMAND[1:], "--stdio"], env=env, keep_alive=False)) as client:
            for name in OPERATIONS:
                content_of(await client.call_tool(name, ARGUMENTS[name]))

    async def with_the_sdk() -> None:
        server = StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:], "--stdio"], env=env)
        async with mcp.Client(server, mode="legacy") as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == list(OPERATIONS)
            result = await client.call_tool("get_orders", {})
            assert isinstance(result, CallToolResult)
            assert not result.is_error

    await asyncio.gather(with_fastmcp(), with_the_sdk())


async def test_over_stdio_only_the_protocol_is_on_standard_output(valkey: str) -> None:
    def message(number: int, method: str, params: object) -> bytes:
        return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"

    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    sent = [
        message(1, "initialize", hello),
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n',
        b"{nonsense\n",
        message(2, "tools/call", {"name": "get_positions", "arguments": [1]}),
        message(3, "tools/call", {"name": "get_status", "arguments": {}}),
    ]
    async with started("--stdio", env=environment(valkey), stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(sent))
        await process.stdin.drain()
        answers: dict[int, Any] = {}
        async with asyncio.timeout(30):
            while 3 not in answers:
                answer = json.loads(await process.stdout.readline())
                answers[answer.get("id")] = answer
            process.stdin.close()
            assert await process.wait() == 0
        assert "Do: send one JSON object" in answers[2]["result"]["content"][0]["text"]
        assert answers[3]["result"]["structuredContent"]["ready"] is False


async def test_an_unusable_environment_ends_the_process_with_one_line_for_each_mistake(valkey: str) -> None:
    env = environment(valkey, READONLY="perhaps", SERVER_PORT="ninety")
    async with started(env=env, stdout=DEVNULL, stderr=PIPE) as process:
        _, errors = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 1
        text = errors.decode()
        assert "READONLY must be true, 1, yes, on or false, 0, no, off" in text
        assert "SERVER_PORT must be a whole number" in text
        assert "Traceback" not in text
