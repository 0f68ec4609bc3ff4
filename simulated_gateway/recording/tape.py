"""The file that a recording is written to: line by line, in the background, in bounded memory."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

_log = logging.getLogger(__name__)

_WRITE_EVERY = 0.2
_PROGRESS_EVERY = 10.0
#: More than this waiting for the disk, and the conversation is slowed down to its pace.
_MOST_WAITING = 4 << 20


class Tape:
    """Takes lines at once and writes them soon. A disk that fails ends the recording, never the conversation."""

    def __init__(self, path: Path) -> None:
        # Only its owner may read it, and nothing is ever overwritten.
        self._file: IO[bytes] | None = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._path = path
        self._waiting = bytearray()
        self._room = asyncio.Event()
        self._room.set()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self.messages = 0
        self.bytes_written = 0

    def begin(self) -> None:
        """Write from now on in the background."""
        self._task = asyncio.create_task(self._keep_writing(), name="recording: disk")

    def put(self, line: str) -> None:
        """Take a line."""
        if self._file is not None:
            self._waiting += line.encode(errors="backslashreplace")
            if len(self._waiting) > _MOST_WAITING:
                self._room.clear()

    async def room(self) -> None:
        """Wait until the disk has caught up."""
        await self._room.wait()

    async def close(self) -> None:
        """Write what is waiting and end."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._write()
        if self._file is not None:
            self._file.close()

    async def _keep_writing(self) -> None:
        loop = asyncio.get_running_loop()
        told_at, told = loop.time(), 0
        while True:
            await asyncio.sleep(_WRITE_EVERY)
            await asyncio.shield(self._write())
            if loop.time() - told_at >= _PROGRESS_EVERY and self.messages != told:
                told_at, told = loop.time(), self.messages
                print(f"{told:,} messages, {self.bytes_written / 1e6:,.1f} MB", file=sys.stderr, flush=True)

    async def _write(self) -> None:
        async with self._writing:
            waiting, self._waiting = self._waiting, bytearray()
            if self._file is not None and waiting:
                try:
                    await asyncio.to_thread(_written, self._file, waiting)
                    self.bytes_written += len(waiting)
                except OSError as problem:
                    _log.error("%s cannot be written any more, the conversation goes on: %s", self._path, problem)
                    self._file = None
            self._room.set()


def _written(file: IO[bytes], data: bytearray) -> None:
    file.write(data)
    file.flush()
