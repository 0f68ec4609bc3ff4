"""A worker with everything real but Redis: the built worker, the queue's client, a simulated gateway on a socket."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Self, TypeVar, overload

import fakeredis
from pydantic import BaseModel, SecretStr

from broker_worker.bootstrap import BrokerWorker, build
from broker_worker.gateway.link import LinkConfig
from broker_worker.gateway.outages import Outages
from broker_worker.settings import WorkerSettings
from shared.contract import OPERATIONS, Call, Scope
from shared.contract.accounts import AccountSummary, Position, ProfitAndLoss
from shared.contract.answers import Listing
from shared.contract.contracts import ContractCandidate, ContractInfo
from shared.contract.market_data import HistoricalBars, OptionChains, OptionQuotes, Quotes, StockPrice
from shared.contract.orders import CancelResult, ExecutionInfo, ModifyResult, OrderInfo, OrderResult
from shared.contract.status import LinkState
from shared.envelope import VERSION, Envelope, read_answer, seal
from shared.queue import arq_seam
from shared.queue.client import JobClient, caller_tag
from shared.redis_keys import Keys
from shared.redis_store import Store
from simulated_gateway import Clock, Control, GatewayConfig, ManualClock, SimulatedGateway
from simulated_gateway.trading.ledger import LedgerEntry

PATIENCE = 10.0
"""Seconds after which a test that waits has failed; nothing is meant to take so long."""

TRADING_HOURS = datetime(2025, 11, 19, 16, 0, tzinfo=UTC)
"""Wednesday, 11:00 in New York and 17:00 in Frankfurt: both exchanges are open."""

SESSION = "main"
EVERYONE = frozenset(Scope)

T = TypeVar("T")

_request_numbers = itertools.count(1)


class AlwaysExpected(Outages):
    """A gateway with no planned outage, so that a test says the same whatever the time of day."""

    def planned(self, now: datetime) -> str | None:
        """Never."""
        return None


async def until(condition: Callable[[], bool], limit: float = PATIENCE) -> None:
    """Return when the condition holds; fail when it does not within the limit."""
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110 - what is awaited here sends no event
            await asyncio.sleep(0.005)


async def eventually(ask: Callable[[], Awaitable[T]], good: Callable[[T], bool], limit: float = PATIENCE) -> T:
    """Ask again until the answer is good; the answer. Fails when none is within the limit."""
    async with asyncio.timeout(limit):
        while not good(answer := await ask()):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
        return answer


def quiet_gateway(**changes: Any) -> GatewayConfig:
    """A gateway whose prices stand still and whose news comes fast."""
    return GatewayConfig(**{"beat_seconds": 0.02, "market_moves": False, "pnl_refresh": 0.05} | changes)


class Bridge:
    """One gateway and one worker, from ``async with`` to its end; the worker can be stopped and started in between."""

    def __init__(
        self,
        gateway: GatewayConfig | None = None,
        *,
        clock: Clock | None = None,
        link: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock or ManualClock(TRADING_HOURS, running=True)
        self.gateway = SimulatedGateway(gateway or quiet_gateway(), self.clock)
        self.secret = str(settings.pop("job_signing_secret", ""))
        self._settings = settings
        self._link = dict(link or {})
        self._redis = fakeredis.FakeServer()
        self.keys = Keys(SESSION)
        self.redis: Any = fakeredis.FakeAsyncRedis(server=self._redis)
        self._worker: BrokerWorker | None = None
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._stack = AsyncExitStack()
        self._state_dir = Path()
        self._stores: list[Store] = []
        self.wait_until_ready = True

    @property
    def control(self) -> Control:
        """The gateway's levers."""
        return self.gateway.control

    @property
    def worker(self) -> BrokerWorker:
        """The worker that runs."""
        assert self._worker is not None
        return self._worker

    async def __aenter__(self) -> Self:
        """Open the gateway, start the worker and wait until it serves or says why it cannot."""
        self._state_dir = Path(self._stack.enter_context(TemporaryDirectory()))
        await self.gateway.open()
        self._stack.push_async_callback(self.gateway.close)
        self._stack.push_async_callback(self.redis.aclose)
        self._stack.push_async_callback(self._close_stores)
        self._client = self.client()
        listening = asyncio.create_task(self._client.run())
        self._stack.push_async_callback(_cancelled, listening)
        self._stack.push_async_callback(self.stop_worker)
        await self.start_worker(ready=self.wait_until_ready)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything, the worker first."""
        async with asyncio.timeout(PATIENCE):
            await self._stack.aclose()

    def client(self) -> JobClient:
        """Another frontend's end of the queue."""
        return JobClient(self.store(), self.keys, self.secret.encode())

    def store(self) -> Store:
        """Another process's connections to the Redis."""
        store = Store(fakeredis.FakeAsyncRedis(server=self._redis))
        self._stores.append(store)
        return store

    @property
    def jobs(self) -> JobClient:
        """A frontend's end of the queue that listens for answers."""
        return self._client

    async def wipe(self) -> None:
        """Let Redis forget everything."""
        await self.redis.flushall()

    async def _close_stores(self) -> None:
        for store in self._stores:
            await store.close()

    async def start_worker(self, *, ready: bool = True) -> None:
        """Start a new worker on the same Redis and gateway."""
        port = self.gateway.port
        settings = WorkerSettings(
            ibkr_gateway_paper_port=port,
            ibkr_gateway_live_port=port,
            job_signing_secret=SecretStr(self.secret),
            state_dir=self._state_dir,
            **{"duplicate_window_seconds": 0} | self._settings,
        )
        config: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": port,
            "client_id": settings.ibkr_client_id,
            "mode": settings.ibkr_trading_mode,
            "time_zone": settings.ibkr_time_zone,
            "outages": AlwaysExpected(None, settings.zone),
            "first_pause": 0.05,
            "longest_pause": 0.1,
            "ghost_pause": 0.05,
        }
        self._worker = build(settings, self.store(), LinkConfig(**config | self._link))
        self._stop = asyncio.Event()
        self._running = asyncio.create_task(self._worker.run(self._stop))
        await until(lambda: bool(self.worker.lease.holder))
        if ready:
            await self.ready()

    async def ready(self) -> None:
        """Wait until the link serves."""
        await self.in_state(LinkState.READY)

    async def in_state(self, *states: LinkState) -> None:
        """Wait until the link is in one of these states."""
        await until(lambda: self.worker.link.state in states)

    async def stop_worker(self) -> None:
        """Stop the worker as SIGTERM does, and see that it ended well."""
        if self._running is not None:
            self._stop.set()
            running, self._running = self._running, None
            await asyncio.wait_for(running, PATIENCE)

    def placed(self) -> list[LedgerEntry]:
        """Every new order that reached the gateway, accepted or not."""
        return [entry for entry in self.control.ledger() if entry.kind == "place"]

    async def text(
        self,
        name: str,
        *,
        caller: str = "local",
        scopes: frozenset[Scope] = EVERYONE,
        seconds: float | None = None,
        client: JobClient | None = None,
        progress: Callable[[str], Awaitable[None]] | None = None,
        **arguments: object,
    ) -> str:
        """The answer as an agent would read it; raises the error it would read."""
        operation = OPERATIONS[name]
        limit = operation.marker.time_limit if seconds is None else seconds
        call = Call(
            caller=caller,
            scopes=scopes,
            authenticated=True,
            request_id=f"test-{next(_request_numbers)}",
            deadline=datetime.now(UTC) + timedelta(seconds=limit),
        )
        if progress is not None:
            call = replace(call, progress=progress)
        return read_answer(await (client or self._client).call(operation, arguments, call))[0]

    @overload
    async def call(self, name: Literal["get_account_summary"], **arguments: Any) -> AccountSummary: ...
    @overload
    async def call(self, name: Literal["get_positions"], **arguments: Any) -> Listing[Position]: ...
    @overload
    async def call(self, name: Literal["get_orders"], **arguments: Any) -> Listing[OrderInfo]: ...
    @overload
    async def call(self, name: Literal["get_executions"], **arguments: Any) -> Listing[ExecutionInfo]: ...
    @overload
    async def call(self, name: Literal["modify_order"], **arguments: Any) -> ModifyResult: ...
    @overload
    async def call(self, name: Literal["get_stock_price"], **arguments: Any) -> StockPrice: ...
    @overload
    async def call(self, name: Literal["get_historical_data"], **arguments: Any) -> HistoricalBars: ...
    @overload
    async def call(self, name: Literal["get_option_chain"], **arguments: Any) -> OptionChains: ...
    @overload
    async def call(self, name: Literal["get_quotes"], **arguments: Any) -> Quotes: ...
    @overload
    async def call(self, name: Literal["get_option_quotes"], **arguments: Any) -> OptionQuotes: ...
    @overload
    async def call(self, name: Literal["get_contract_details"], **arguments: Any) -> Listing[ContractInfo]: ...
    @overload
    async def call(self, name: Literal["get_pnl"], **arguments: Any) -> ProfitAndLoss: ...
    @overload
    async def call(self, name: Literal["search_contracts"], **arguments: Any) -> Listing[ContractCandidate]: ...
    @overload
    async def call(self, name: Literal["cancel_order"], **arguments: Any) -> CancelResult: ...
    @overload
    async def call(
        self, name: Literal["place_limit_order", "place_market_order", "place_stop_order"], **arguments: Any
    ) -> OrderResult: ...
    async def call(self, name: str, **arguments: Any) -> BaseModel:
        """The typed answer of a tool."""
        return OPERATIONS[name].result.model_validate_json(await self.text(name, **arguments))

    def envelope(self, name: str, **changes: Any) -> Envelope:
        """What a frontend would send for this operation, with some of it changed."""
        number = next(_request_numbers)
        fields: dict[str, Any] = {
            "v": VERSION,
            "session": SESSION,
            "operation": name,
            "arguments": {},
            "caller": "local",
            "scopes": EVERYONE,
            "deadline_ms": int((datetime.now(UTC) + timedelta(seconds=5)).timestamp() * 1000),
            "request_id": f"raw-{number}",
            "reply_to": "nobody",
        }
        return Envelope.model_construct(**(fields | changes))

    async def put(self, envelope: Envelope, *, secret: str | None = None, lane: str | None = None) -> str:
        """Put an envelope into Redis by hand; the answer's raw text."""
        body, signature = seal(envelope, (self.secret if secret is None else secret).encode())
        operation = OPERATIONS.get(envelope.operation)
        trades = operation is not None and operation.marker.destructive
        return await self.put_raw(
            arq_seam.encode_job(body, signature, _now_ms()), lane=lane or ("orders" if trades else "queries")
        )

    async def put_raw(self, payload: bytes, *, lane: str = "queries", job_id: str = "") -> str:
        """Put any bytes into Redis as a job; the answer's raw text."""
        job_id = job_id or self.keys.job_id(caller_tag("local"), f"by-hand-{next(_request_numbers)}")
        await self.enqueue_raw(job_id.encode(), payload, lane=lane)
        answer: list[bytes] = []
        async with asyncio.timeout(PATIENCE):
            while not answer:
                stored = await self.redis.get(arq_seam.RESULT + job_id)
                if stored is not None:
                    answer.append(stored)
        return arq_seam.decode_result(answer[0])

    async def enqueue_raw(self, job_id: bytes, payload: bytes, *, lane: str = "queries") -> None:
        """Put any bytes into Redis as a job, and wait for nothing."""
        await self.redis.set(arq_seam.JOB.encode() + job_id, payload)
        score = _now_ms() if lane == "queries" else _now_ms() - 1_500_000_000_000
        await self.redis.zadd(self.keys.queue, {job_id: score})
        await self.redis.rpush(self.keys.wake, "1")


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def open_lines(bridge: Bridge) -> list[int]:
    """The request ids of the market data lines open at the gateway."""
    return [
        number for client in bridge.control.connections() for kind, number in client.streams if kind == "market data"
    ]
