"""Starts the processes, says when they are ready, and ends all of them whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError

from broker_worker.settings import WorkerSettings
from demo import words
from demo.child import Child
from demo.endpoint import Endpoint
from demo.valkey import SOCKET_NAME
from mcp_frontend.settings import FrontendSettings
from shared.contract.status import BridgeStatus
from shared.redis_store import RedisAway, Store
from shared.settings import load

READY_SECONDS = 90.0
"""Until everything must be ready; a cold, slow machine needs a fifth of it."""
STOP_SECONDS = {"frontend": 4.0, "worker": 5.0}
"""Until a child that was asked to end is ended; others get what ``STOP_OTHERS`` says."""
STOP_OTHERS = 2.0

_LOOK_SECONDS = 0.1
_LISTENING = re.compile(r"listening on [\d.]+:(\d+) .*control on ([\d.]+:\d+)")
_LONGEST_SOCKET_PATH = 100
"""Bytes; systems allow 103 or 107."""


class Failed(Exception):
    """The demo cannot go on; the message is for the person at the terminal."""


def run(*, frontends: int, stdio: bool) -> int:
    """Run until told to stop; the exit code."""
    settings = load(FrontendSettings)
    load(WorkerSettings)  # a wrong variable is named now, once, and not by four processes
    try:
        asyncio.run(_run(settings, frontends=frontends, stdio=stdio))
    except Failed as failure:
        print(f"demo: {failure}", file=sys.stderr, flush=True)
        return 1
    return 0


async def _run(settings: FrontendSettings, *, frontends: int, stdio: bool) -> None:
    with _folder() as folder:
        demo = Demo(settings, folder, frontends=0 if stdio else frontends)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, demo.stop)
        try:
            await demo.run()
        finally:
            await demo.close()


@contextlib.contextmanager
def _folder() -> Generator[Path]:
    """A temporary folder for the socket and the logs; kept where something failed, so that the logs can be read."""
    folder = Path(tempfile.mkdtemp(prefix="ibkr-demo-"))
    if len(os.fsencode(folder / SOCKET_NAME)) > _LONGEST_SOCKET_PATH:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="ibkr-demo-", dir="/tmp"))
    keep = False
    try:
        yield folder
    except Failed:
        keep = any(folder.glob("*.log"))
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


class Demo:
    """All processes of one demo."""

    def __init__(self, settings: FrontendSettings, folder: Path, *, frontends: int) -> None:
        self._settings = settings
        self._folder = folder
        self._started_at = time.monotonic()
        self._children: list[Child] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._leash = os.pipe()
        self._over = asyncio.Event()
        self._hurry = asyncio.Event()
        self._fallen: Child | None = None
        self._ports = [settings.server_port + number for number in range(frontends)]
        """Empty where one frontend serves standard input and output."""
        self._own_redis = not os.environ.get("REDIS_URL")
        self._session = f"demo-{secrets.token_hex(4)}"
        self._environment = self._children_environment()

    def _children_environment(self) -> dict[str, str]:
        """The caller's environment, except for what could make this demo touch anything real."""
        ours = {
            "GATEWAY_SESSION": self._session,
            "IBKR_TRADING_MODE": "paper",
            "IBKR_HOST": "127.0.0.1",
            "IBKR_READ_ONLY_API": "false",
            "IBKR_AUTO_RESTART_TIME": "",
            "AUTHENTICATION": "",  # its session is new: there could be no key for it
            "JOB_SIGNING_SECRET": secrets.token_hex(32),
            "STATE_DIR": str(self._folder / "state"),
            "PYTHONUNBUFFERED": "1",
        }
        if self._own_redis:
            ours["REDIS_URL"] = f"unix://{self._folder / SOCKET_NAME}"
        if self._settings.toolsets:  # without it nobody could ask whether the demo is ready
            ours["TOOLSETS"] = ",".join(dict.fromkeys((*self._settings.toolsets, "status")))
        return {"SHUTDOWN_GRACE_SECONDS": "3", **os.environ, **ours}

    def stop(self) -> None:
        """End everything; asked a second time, at once."""
        if self._over.is_set():
            self._hurry.set()
        self._over.set()

    async def run(self) -> None:
        """Start, say when ready, and wait for the end; raises ``Failed`` for every end but one that was asked for."""
        opening = asyncio.create_task(self._open(), name="opening")
        over = asyncio.create_task(self._over.wait(), name="over")
        try:
            await asyncio.wait({opening, over}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                self._say(opening.result())
                await over
            elif not over.done():
                raise Failed(await self._why_not_ready())
        finally:
            opening.cancel()
            over.cancel()
            await asyncio.gather(opening, over, return_exceptions=True)
        if self._fallen is not None:
            raise Failed(self._obituary(self._fallen))

    async def _open(self) -> str:
        """Start everything; what to say once it is ready."""
        for port in self._ports:
            _check_port(self._settings.server_host, port)
        await self._check_redis()
        self._say("Starting the bridge with a simulated gateway …")
        gateway = Child(
            "simulated gateway", "simulated_gateway", "--port", "0", "--control-port", "0", log=self._log("gateway")
        )
        await self._start(gateway)
        if self._own_redis:
            await self._start(Child("Valkey", "demo.valkey", str(self._folder), log=self._log("valkey")))
        for number, port in enumerate(self._ports, 1):
            log = self._log(f"frontend-{number}" if len(self._ports) > 1 else "frontend")
            await self._start(Child("frontend", "mcp_frontend", log=log), {"SERVER_PORT": str(port)})
        if not self._ports:
            await self._start(Child("frontend", "mcp_frontend", "--stdio", log=self._log("frontend"), on_terminal=True))
        listening = await gateway.said(_LISTENING)
        await self._start(
            Child("worker", "broker_worker", log=self._log("worker")), {"IBKR_GATEWAY_PAPER_PORT": listening[1]}
        )
        if not self._ports:
            return f"Serving standard input and output. Logs: {self._folder}"
        return await self._ready(f"http://{listening[2]}")

    def _say(self, text: str) -> None:
        """To the person at the terminal, if it is still there; standard output may be the wire."""
        with contextlib.suppress(OSError):
            print(text, file=sys.stdout if self._ports else sys.stderr, flush=True)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    async def _start(self, child: Child, more: Mapping[str, str] | None = None) -> None:
        self._children.append(child)
        await child.start(self._environment | dict(more or {}), self._leash[0])
        self._watchers.append(asyncio.create_task(self._watch(child), name=f"watch {child.name}"))

    async def _watch(self, child: Child) -> None:
        """The end of any child is the end of the demo; of a client's standard input it is a good one."""
        await child.ended()
        if not self._over.is_set():
            served_out = not self._ports and child.name == "frontend" and child.exit_code == 0
            self._fallen = None if served_out else child
            self._over.set()

    async def _check_redis(self) -> None:
        if self._own_redis:
            return
        store = Store.at(self._settings.redis_url)
        try:
            await store.ping()
        except RedisAway as error:
            where = urlsplit(self._settings.redis_url)
            raise Failed(
                f"Redis at {where.hostname or where.path} (REDIS_URL) cannot be reached: {error}; "
                "start it, or unset REDIS_URL and the demo brings its own"
            ) from error
        finally:
            await store.close()

    async def _ready(self, control: str) -> str:
        endpoints = [Endpoint(self._settings.server_host, port) for port in self._ports]
        statuses = [await self._until_ready(endpoint) for endpoint in endpoints]
        price = await endpoints[0].call("get_stock_price", symbol="AAPL")
        seconds = time.monotonic() - self._started_at
        return words.ready([each.url for each in endpoints], statuses[0], price, control, self._folder, seconds)

    async def _until_ready(self, endpoint: Endpoint) -> BridgeStatus:
        while (status := await _status(endpoint)) is None or not status.ready:  # noqa: ASYNC110 - another process
            await asyncio.sleep(_LOOK_SECONDS)
        return status

    async def _why_not_ready(self) -> str:
        status = await _status(Endpoint(self._settings.server_host, self._ports[0])) if self._ports else None
        why = status.message if status else "the frontend does not answer"
        worker = next((child for child in self._children if child.name == "worker"), None)
        tail = "".join(f"\n    {line}" for line in worker.tail(8)) if worker else ""
        return f"not ready after {READY_SECONDS:.0f} s: {why}\n  logs: {self._folder}{tail}"

    def _obituary(self, child: Child) -> str:
        tail = child.tail(12)
        last = f": {tail[-1]}" if tail and (child.exit_code or 0) > 0 else ""
        lines = "".join(f"\n    {line}" for line in tail)
        return f"the {child.name} {child.how_it_ended()}{last}\n  the end of {child.log}:{lines or ' (empty)'}"

    async def close(self) -> None:
        """End every child: those who serve first, what they need last."""
        self._over.set()
        for name in ("frontend", "worker", "simulated gateway", "Valkey"):
            seconds = STOP_SECONDS.get(name, STOP_OTHERS)
            await asyncio.gather(*(c.stop(seconds, self._hurry) for c in self._children if c.name == name))
        await asyncio.gather(*self._watchers)
        for end in self._leash:
            os.close(end)
        if not self._own_redis and self._children:
            await asyncio.to_thread(_forget, self._settings.redis_url, self._session)


async def _status(endpoint: Endpoint) -> BridgeStatus | None:
    answer = await endpoint.call("get_status")
    try:
        return BridgeStatus.model_validate(answer) if answer else None
    except ValidationError:
        return None


def _check_port(host: str, port: int) -> None:
    """Return if the port is free; a frontend would say the same a second later and less plainly."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "no such address or port"
        raise Failed(
            f"cannot listen on {host} port {port}: {reason}; choose another, as in SERVER_PORT=18080 make demo"
        ) from error


def _forget(redis_url: str, session: str) -> None:
    """Leave nothing of this demo in somebody's Redis."""
    with contextlib.suppress(RedisError), cast("Any", Redis).from_url(redis_url, socket_timeout=2) as redis:
        for key in redis.scan_iter(match=f"ibkr:{session}:*"):
            redis.delete(key)
