"""A client that asked for progress is answered by a stream, any other by one JSON body; both say the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from shared.queue import scripts
from tests.frontend.conftest import HEADERS, Served, legacy_call, modern_call, modern_headers, serve
from tests.frontend.standin import StandInWorker, stand_in_worker
from tests.frontend.test_bad_days import until


def asking_for_progress(body: dict[str, Any]) -> dict[str, Any]:
    body["params"].setdefault("_meta", {})["progressToken"] = 7
    return body


def said(response: httpx2.Response) -> dict[str, Any]:
    """The last message of the answer, whatever its form."""
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith(("data: {", "{"))]
    message: dict[str, Any] = json.loads(lines[-1])
    return message


async def test_only_who_asked_for_progress_is_answered_by_a_stream(served: Served, worker: StandInWorker) -> None:
    plain = await served.post(legacy_call("get_positions", {}))
    streamed = await served.post(asking_for_progress(legacy_call("get_positions", {})))
    assert plain.headers["content-type"] == "application/json"
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert plain.status_code == streamed.status_code == 200
    assert said(plain) == said(streamed)


@pytest.mark.parametrize("pieces", [1, 3])
async def test_a_body_that_comes_in_pieces_is_served_as_one_that_comes_whole(
    served: Served, worker: StandInWorker, pieces: int
) -> None:
    body = json.dumps(legacy_call("get_positions", {})).encode()
    size = -(-len(body) // pieces)

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    async with httpx2.AsyncClient(verify=False) as http:
        response = await http.post(served.endpoint, content=in_pieces(), headers=HEADERS)
    assert response.status_code == 200
    assert said(response)["result"]["isError"] is False


async def test_an_oversized_body_is_refused_and_the_next_call_served(served: Served, worker: StandInWorker) -> None:
    refused = await served.post(legacy_call("get_positions", {"account": "x" * 5_000_000}))
    assert refused.status_code == 413
    assert (await served.post(legacy_call("get_positions", {}))).status_code == 200


async def test_a_client_that_leaves_in_the_middle_of_its_body_does_no_harm(
    served: Served, worker: StandInWorker
) -> None:
    port = int(served.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 500\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await served.post(legacy_call("get_positions", {}))).status_code == 200


@pytest.mark.parametrize("generation", ["modern", "legacy"])
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "plain"])
async def test_a_client_that_leaves_is_noticed_in_either_form(valkey: str, generation: str, *, streamed: bool) -> None:
    body = (modern_call if generation == "modern" else legacy_call)("get_positions", {})
    headers = modern_headers("get_positions") if generation == "modern" else {}
    body = asking_for_progress(body) if streamed else body
    async with stand_in_worker(valkey, slots=0) as worker, serve(valkey) as served:

        async def queued(count: int) -> bool:
            return await worker.store.count_between(worker.keys.queue, 0, scripts.CLAIMED) == count

        async with httpx2.AsyncClient(verify=False) as http:
            call = asyncio.create_task(http.post(served.endpoint, json=body, headers=HEADERS | headers))
            await until(lambda: queued(1))
            call.cancel()
            await until(lambda: queued(0), seconds=2)
        assert worker.envelopes == []
