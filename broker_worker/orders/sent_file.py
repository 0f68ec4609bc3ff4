"""The local file that knows one fact: this order may have been sent; and later, that it is over.

Written and flushed to disk before Redis is asked to begin the order, so that losing Redis loses no order: what this
file and the gateway do not know was not sent from here. That an order is over is written when the gateway has said so:
the gateway itself forgets it at midnight.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from shared import clock

KEEP_SECONDS: Final = 9 * 24 * 3600
"""How long an order that is over stays in the file: a day longer than Redis keeps its record."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sent (
    key TEXT PRIMARY KEY, epoch INTEGER NOT NULL, order_id INTEGER NOT NULL, at REAL NOT NULL, entry TEXT NOT NULL,
    over TEXT, over_at REAL
) STRICT;
CREATE TABLE IF NOT EXISTS redis (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1), sentinel TEXT NOT NULL, begun INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS file (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), id TEXT NOT NULL) STRICT;
"""

_SELECT: Final = "SELECT key, epoch, order_id, at, entry, over, over_at FROM sent"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an order ended."""

    state: str
    may_resubmit: bool
    view: str
    """The order's story, as in its record; the same text for the same end."""
    names: tuple[str, ...]
    """By which the record may be found, beside its key."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One order that may have been sent."""

    key: str
    epoch: int
    order_id: int
    at: float
    """Unix seconds."""
    entry: str
    """What Redis should remember of it, as JSON, where Redis has forgotten."""
    over: str | None = None
    """Its ``End`` as JSON; None while it may not be over."""
    over_at: float | None = None

    @property
    def end(self) -> End | None:
        """How it ended, where that is known."""
        if self.over is None:
            return None
        end = json.loads(self.over)
        return End(**end | {"names": tuple(end["names"])})

    @property
    def ended(self) -> datetime:
        """When that was noted, or long ago where it was not."""
        return datetime.fromtimestamp(self.over_at or 0, UTC)


class SentFile:
    """The file, opened and used in one thread of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sent-file")
        self._connection: sqlite3.Connection | None = None
        self.id = ""
        """Made with the file. Only of an order begun under it does the absence of a row prove anything."""
        self.highest_number = 0
        """Of all orders that may have been sent: numbers at the gateway, which are not used again."""

    async def open(self) -> None:
        """Open or make the file, and forget what is long over. Raises ``sqlite3.Error`` where it cannot be used."""
        self.id, self.highest_number = await self._run(self._open)

    async def add(self, sent: Sent) -> bool:
        """Note that an order may be sent; on return it is on the disk. False where it may have been sent before."""
        row = (sent.key, sent.epoch, sent.order_id, sent.at, sent.entry)
        self.highest_number = max(self.highest_number, sent.order_id)
        added: int = await self._run(
            lambda db: (
                db.execute(
                    "INSERT OR IGNORE INTO sent (key, epoch, order_id, at, entry) VALUES (?, ?, ?, ?, ?)", row
                ).rowcount
            )
        )
        return added == 1

    async def get(self, key: str) -> Sent | None:
        """What is known of one order."""
        rows = await self._run(lambda db: db.execute(f"{_SELECT} WHERE key = ?", (key,)).fetchall())
        return Sent(*rows[0]) if rows else None

    def remove(self, sent: Sent) -> Awaitable[object]:
        """An order was certainly not sent under this very row. It is under way when this returns, awaited or not."""
        row = (sent.key, sent.epoch, sent.at)
        return self._run(lambda db: db.execute("DELETE FROM sent WHERE key = ? AND epoch = ? AND at = ?", row))

    async def note_ends(self, ends: Mapping[str, End | None]) -> None:
        """Note which orders are over and how; None takes it back. On return it is on the disk."""
        now = clock.now().timestamp()
        rows = [
            (over, None if over is None else now, key, over)
            for key, end in ends.items()
            for over in [None if end is None else json.dumps(asdict(end))]
        ]
        await self._run(lambda db: _all_at_once(db, rows))

    async def all(self) -> list[Sent]:
        """Every order that may have been sent and is not long over."""
        rows = await self._run(lambda db: db.execute(_SELECT).fetchall())
        return [Sent(*row) for row in rows]

    async def known_redis(self) -> tuple[str | None, int]:
        """The identity of the Redis last used, and how many orders had been begun in it."""
        rows = await self._run(lambda db: db.execute("SELECT sentinel, begun FROM redis").fetchall())
        return rows[0] if rows else (None, 0)

    async def know_redis(self, sentinel: str, begun: int) -> None:
        """Note which Redis is used, and how far it had counted."""
        await self._run(lambda db: db.execute("INSERT OR REPLACE INTO redis VALUES (1, ?, ?)", (sentinel, begun)))

    async def newest_epoch(self) -> int:
        """The highest epoch under which an order was sent; a wiped Redis must count on from there."""
        rows = await self._run(lambda db: db.execute("SELECT COALESCE(MAX(epoch), 0) FROM sent").fetchall())
        return int(rows[0][0])

    async def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            await self._run(lambda db: db.close())
        self._thread.shutdown(wait=False)

    def _open(self, _: object) -> tuple[str, int]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # with WAL: every commit is on the disk when it returns
        db.executescript(_SCHEMA)
        if "over" not in {column[1] for column in db.execute("PRAGMA table_info(sent)")}:
            db.executescript("ALTER TABLE sent ADD COLUMN over TEXT; ALTER TABLE sent ADD COLUMN over_at REAL")
        db.execute("DELETE FROM sent WHERE over_at < ?", (clock.now().timestamp() - KEEP_SECONDS,))
        db.execute("INSERT OR IGNORE INTO file VALUES (1, ?)", (secrets.token_hex(8),))
        (number,) = db.execute("SELECT COALESCE(MAX(order_id), 0) FROM sent").fetchone()
        return str(db.execute("SELECT id FROM file").fetchone()[0]), int(number)

    def _run(self, work: Callable[[Any], T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, lambda: work(self._connection))


def _all_at_once(db: sqlite3.Connection, rows: list[tuple[str | None, float | None, str, str | None]]) -> None:
    """One flush for all; none where nothing is new."""
    with db:
        db.execute("BEGIN")
        db.executemany("UPDATE sent SET over = ?, over_at = ? WHERE key = ? AND over IS NOT ?", rows)
