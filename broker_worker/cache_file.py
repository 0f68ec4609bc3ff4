"""What the gateway said and what stays true over a restart: contracts, option chains, finished bars.

It is a file in ``STATE_DIR`` and not in Redis: Redis flushes every write to disk because orders depend on it, and must
not wait for megabytes of prices. Losing the file costs requests and nothing else, so it is not flushed, and a damaged
one is made anew.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from shared import clock

log = logging.getLogger(__name__)

MOST_BYTES = 256 << 20
"""Of all bodies together, compressed; what expires first goes first."""
_TRIM_EVERY = 500
"""Writes between two looks at the size."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, until REAL NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS kept_until ON kept (until);
"""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing that is known."""

    body: bytes
    until: float
    """Unix seconds; past it it may no longer be true."""


class CacheFile:
    """Keys to bodies, each true until its time. Opened and used in one thread of its own; trouble means not known."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cache-file")
        self._db: sqlite3.Connection | None = None
        self._writes = 0

    async def open(self) -> None:
        """Open or make the file; without it everything is asked for anew."""
        now = clock.now().timestamp()
        loop = asyncio.get_running_loop()
        self._db = await loop.run_in_executor(self._thread, lambda: self._opened(now))

    async def get(self, key: str) -> Kept | None:
        """What is known under a key and still true."""
        asked = (key, clock.now().timestamp())
        row = await self._run(
            lambda db: db.execute("SELECT body, until FROM kept WHERE key = ? AND until > ?", asked).fetchone(), None
        )
        return Kept(await asyncio.to_thread(zlib.decompress, row[0]), row[1]) if row is not None else None

    async def put(self, key: str, body: bytes, until: float) -> None:
        """Remember it."""
        now = clock.now().timestamp()
        if until <= now:
            return
        row = (key, until, await asyncio.to_thread(zlib.compress, body, 1))
        await self._run(lambda db: db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", row), None)
        self._writes += 1
        if self._writes % _TRIM_EVERY == 0:
            await self._run(lambda db: self._trim(db, now), None)

    async def close(self) -> None:
        """Close the file."""
        db, self._db = self._db, None
        if db is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, db.close)
        self._thread.shutdown(wait=False)

    def _opened(self, now: float) -> sqlite3.Connection | None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                db = self._made()
                self._trim(db, now)
            except sqlite3.DatabaseError as error:
                log.warning("the file of what the gateway said is made anew: %s", error)
                self._path.unlink(missing_ok=True)
                db = self._made()
        except (sqlite3.Error, OSError) as error:
            log.warning("what the gateway says is not kept over a restart: %s", error)
            return None
        return db

    def _made(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(_SCHEMA)
        return db

    def _trim(self, db: sqlite3.Connection, now: float) -> None:
        db.execute("DELETE FROM kept WHERE until <= ?", (now,))
        while db.execute("SELECT COALESCE(SUM(LENGTH(body)), 0) FROM kept").fetchone()[0] > self._most_bytes:
            db.execute("DELETE FROM kept WHERE key IN (SELECT key FROM kept ORDER BY until LIMIT 100)")

    async def _run(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Work on the file in its thread; ``otherwise`` where it is not open or fails."""
        db = self._db
        if db is None:
            return otherwise

        def guarded() -> T:
            try:
                return work(db)
            except sqlite3.Error as error:
                log.warning("the file of what the gateway said: %s", error)
                return otherwise

        return await asyncio.get_running_loop().run_in_executor(self._thread, guarded)
