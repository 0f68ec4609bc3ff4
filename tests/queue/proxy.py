"""A proxy in front of Redis that loses what it is told to lose."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

from redis import Redis

CHUNK = 1 << 20


def name_of(script: str) -> bytes:
    """What a call of this script carries on the wire."""
    with Redis() as nobody:
        return str(nobody.register_script(script).sha).encode()


class Proxy:
    """Passes bytes between clients and a server on loopback, until told otherwise.

    Commands are known by a part of their bytes; a client here has one command under way on each connection.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lose_reply_to: bytes | None = None
        self._carrying = b""
        self._then_cut = False
        self._lose_command: bytes | None = None
        self._held_back: bytes | None = None
        self._goes_on = asyncio.Event()
        self._cut = False
        self.port = 0
        self.lost = asyncio.Event()
        """Set when the chosen reply or command has been lost."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def lose_reply_to(self, command: bytes, *, carrying: bytes = b"", then_cut: bool = False) -> None:
        """Break the connection instead of delivering the next reply to such a command, one now under way included.

        With ``carrying`` only a reply that has this in it; with ``then_cut`` every connection goes with it.
        """
        self._carrying, self._then_cut = carrying, then_cut
        self._lose_reply_to = command
        self.lost.clear()

    def lose_command(self, command: bytes) -> None:
        """Break the connection instead of delivering the next such command."""
        self._lose_command = command
        self.lost.clear()

    def hold_back(self, command: bytes) -> None:
        """Let no such command through until ``let_go``."""
        self._held_back = command

    def let_go(self) -> None:
        """Let through what was held back, and what comes."""
        self._held_back = None
        self._goes_on.set()

    def cut(self) -> None:
        """Break every connection and let no new one through."""
        self._cut = True
        for task in self._tasks:
            task.cancel()

    def mend(self) -> None:
        """Let connections through again."""
        self._cut = False

    def disarm(self) -> None:
        """Lose nothing that was to be lost and has not come yet."""
        self._lose_reply_to = self._lose_command = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if not self._cut:
                await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # that a connection ends is what this proxy is for
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        said = [b""]
        try:
            async with asyncio.TaskGroup() as both:
                up = both.create_task(self._upwards(reader, server_writer, said))
                down = both.create_task(self._downwards(server_reader, writer, said))
                await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
                up.cancel()
                down.cancel()
        except* OSError:
            pass
        finally:
            with suppress(OSError):
                server_writer.close()

    async def _upwards(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: list[bytes]) -> None:
        while data := await reader.read(CHUNK):
            if self._lose_command is not None and self._lose_command in data:
                self._lose_command = None
                self.lost.set()
                return
            if self._held_back is not None and self._held_back in data:
                await self._goes_on.wait()
            said[0] = data
            writer.write(data)
            await writer.drain()

    async def _downwards(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: list[bytes]) -> None:
        while data := await reader.read(CHUNK):
            chosen = self._lose_reply_to is not None and self._lose_reply_to in said[0]
            if chosen and self._carrying in data and not data.startswith(b"-NOSCRIPT"):
                self._lose_reply_to = None
                self.lost.set()
                if self._then_cut:
                    self.cut()
                return
            writer.write(data)
            await writer.drain()
