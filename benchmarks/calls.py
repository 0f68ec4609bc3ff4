"""The callers: through the queue's client as a frontend does, through stock arq, through plain Redis, over HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool, Redis

from shared.contract import OPERATIONS, Call, Scope
from shared.contract.call import new_request_id
from shared.envelope import read_answer
from shared.queue.client import JobClient, QueueLimits
from shared.redis_keys import Keys
from shared.redis_store import Store

Once = Callable[[int], Awaitable[object]]
"""One round of one kind, by the caller of this number."""


_SCOPES = frozenset(Scope)


@dataclass(frozen=True)
class Caller:
    """A frontend's end of the queue."""

    client: JobClient

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, session: str, secret: str) -> AsyncIterator[Caller]:
        """A client that listens, until the block ends."""
        store = Store.at(url)
        client = JobClient(store, Keys(session), secret.encode(), QueueLimits(of_one_caller=5_000))
        listening = asyncio.create_task(client.run())
        try:
            yield cls(client)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await store.close()

    async def call(self, name: str, arguments: Mapping[str, object], *, caller: str = "bench") -> Mapping[str, Any]:
        """One call from validated arguments to the parsed answer, as the frontend makes it."""
        operation = OPERATIONS[name]
        operation.parse(arguments)
        call = Call(
            caller=caller,
            scopes=_SCOPES,
            request_id=new_request_id(),
            deadline=datetime.now(UTC) + timedelta(seconds=operation.marker.time_limit),
        )
        return read_answer(await self.client.call(operation, arguments, call))[1]

    async def empty(self, _: int) -> None:
        """An empty job."""
        await self.call("do_nothing", {})


class PingPong:
    """Two hops through Redis's lists, there and back: what any queue in Redis costs at least."""

    def __init__(self, url: str) -> None:
        self._redis: Any = Redis.from_url(url)

    async def once(self, caller: int) -> None:
        await self._redis.rpush("ping", str(caller))
        await self._redis.blpop([f"pong:{caller}"])

    async def close(self) -> None:
        await self._redis.aclose()


class StockArq:
    """arq as its documentation shows it, the result polled for every millisecond."""

    def __init__(self, url: str) -> None:
        self._redis = ArqRedis(ConnectionPool.from_url(url))

    async def once(self, _: int) -> None:
        job = await self._redis.enqueue_job("nothing")
        assert job is not None
        await job.result(poll_delay=0.001)

    async def close(self) -> None:
        await self._redis.aclose(close_connection_pool=True)


_HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


class HttpCaller:
    """A client on a kept connection that sends one JSON-RPC request for each call."""

    def __init__(self, port: int, tool: str, arguments: Mapping[str, Any] | None = None) -> None:
        self._http = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=200, max_keepalive_connections=200))
        self._url = f"http://127.0.0.1:{port}/mcp"
        self._body = json.dumps(
            {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments or {}}}
        )

    async def once(self, _: int = 0) -> str:
        answer = await self._http.post(self._url, content=self._body, headers=_HEADERS)
        if answer.status_code != 200 or '"isError":true' in answer.text:
            raise RuntimeError(f"{answer.status_code}: {answer.text[:300]}")
        return answer.text

    async def close(self) -> None:
        await self._http.aclose()


@dataclass(frozen=True)
class Timed:
    """What so many rounds took."""

    seconds: list[float]
    elapsed: float

    @property
    def p50(self) -> float:
        return sorted(self.seconds)[len(self.seconds) // 2]

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.elapsed


async def timed(once: Once, rounds: int, callers: int = 1) -> Timed:
    """So many rounds in all, by so many callers at once."""
    seconds: list[float] = []

    async def one_caller(number: int) -> None:
        for _ in range(rounds // callers):
            began = time.perf_counter()
            await once(number)
            seconds.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(one_caller(number) for number in range(callers)))
    return Timed(seconds, time.perf_counter() - began)
