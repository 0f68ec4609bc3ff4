"""The demo as its user meets it: a process with an environment, output, signals and an exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from demo.child import ROOT
from tests.conftest import free_port

PATIENCE = 90.0
"""Seconds, on a machine that does much else."""


class DemoProcess:
    """A demo in a session of its own, as a terminal would start it."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, folder: Path) -> None:
        self._process = process
        self.port = port
        self.folder = folder
        self.output = ""
        """What it has said so far."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    async def says(self, text: str) -> None:
        """Wait until it has said a text; its end before that fails the test."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while text not in self.output:
                line = await self._process.stdout.readline()
                assert line, f"it ended without saying {text!r}:\n{self.output}"
                self.output += line.decode()

    def signal_group(self, number: int) -> None:
        """What a terminal does for Ctrl-C: the signal goes to the whole foreground group."""
        os.killpg(self._process.pid, number)

    def kill_child(self, module: str) -> None:
        """kill -9 for the child that runs a module."""
        found = [pid for pid, command in self.processes() if f" {module}" in command]
        assert len(found) == 1, self.processes()
        os.kill(found[0], signal.SIGKILL)

    def kill(self) -> None:
        """kill -9 for the supervisor alone."""
        self._process.kill()

    async def ends(self) -> int:
        """Wait for its end; the exit code, with all it has said read."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            self.output += (await self._process.stdout.read()).decode()
            return await self._process.wait()

    def processes(self) -> list[tuple[int, str]]:
        """Every living process of its session, with its command line."""
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True
        )
        found: list[tuple[int, str]] = []
        for line in listed.stdout.splitlines():
            pid, stat, *command = line.split(None, 2)
            try:
                if os.getsid(int(pid)) == self._process.pid and not stat.startswith("Z"):
                    found.append((int(pid), " ".join(command)))
            except ProcessLookupError:
                continue
        return found

    async def nothing_is_left(self) -> None:
        """Wait until no process of its session lives."""
        async with asyncio.timeout(PATIENCE):
            while self.processes():  # noqa: ASYNC110 - processes of others send no word
                await asyncio.sleep(0.05)

    async def destroy(self) -> None:
        """Whatever the test left."""
        for pid, _ in self.processes():
            os.kill(pid, signal.SIGKILL)
        await self.ends()


StartDemo = Callable[..., Awaitable[DemoProcess]]


def free_ports(count: int) -> int:
    """The first of so many neighbouring ports that are free now."""
    while True:
        port = free_port()
        with suppress(OSError):
            for number in range(port, port + count):
                socket.create_server(("127.0.0.1", number)).close()
            return port


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A temporary folder with a name short enough for a socket in it; pytest's own is too long under xdist."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


@pytest.fixture
async def start_demo(short_folder: Path) -> AsyncIterator[StartDemo]:
    started: list[DemoProcess] = []

    async def start(*arguments: str, port: int | None = None, **environment: str) -> DemoProcess:
        port = port or free_port()
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "demo",
            *arguments,
            cwd=ROOT,
            env={**inherited, "TMPDIR": str(short_folder), "SERVER_PORT": str(port), **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(DemoProcess(process, port, short_folder))
        return started[-1]

    yield start
    for demo in started:
        await demo.destroy()
