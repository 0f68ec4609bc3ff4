"""A recording's table of contents, in a file of its own: what was asked where, and which messages answered it.

It is read once, in one pass; a recording of any size then takes no more memory than a small one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from simulated_gateway.recording.lines import Line, lines_of, read_head, read_line

from .asking import Asked, asked, differences
from .attribution import Attribution

_SCHEMA = """
CREATE TABLE requests (
  number INTEGER PRIMARY KEY, link INTEGER, at REAL, kind TEXT, key BLOB, asks TEXT, own_id INTEGER, order_id INTEGER,
  reference TEXT, oca_group TEXT, used INTEGER DEFAULT 0
) STRICT;
CREATE TABLE messages (number INTEGER PRIMARY KEY, owner INTEGER, at REAL, offset INTEGER) STRICT;
CREATE TABLE links (
  link INTEGER PRIMARY KEY, version INTEGER, told_time TEXT, offered TEXT, client_id INTEGER, opened_at REAL,
  closed_at REAL, closed_by TEXT
) STRICT;
"""
_INDEXES = """
CREATE INDEX by_key ON requests (key, used, number);
CREATE INDEX by_kind ON requests (kind);
CREATE INDEX by_owner ON messages (owner, number);
"""
_CANDIDATES = 2_000
_SETTINGS = "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA cache_size = -8192"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded request."""

    number: int
    link: int
    at: float
    kind: str
    own_id: int | None
    order_id: int | None
    reference: str
    oca_group: str


@dataclass(frozen=True, slots=True)
class RecordedLink:
    """One recorded connection. Times in seconds since the recording began."""

    link: int
    #: The negotiated server version; 0 where the gateway never answered the client's greeting.
    version: int
    told_time: str
    offered: str
    client_id: int
    opened_at: float
    closed_at: float
    closed_by: str


class Index:
    """Finds recorded requests by what they ask, and the messages that answered them."""

    def __init__(self, path: Path) -> None:
        """Read a recording.

        Raises:
            UnreadableRecording: it is none, or of a newer release.
            OSError: it cannot be read.
        """
        self.head = read_head(path)
        self._folder = TemporaryDirectory(prefix="recording-")
        self._file = path.open("rb")
        self._db = sqlite3.connect(Path(self._folder.name) / "index.sqlite3", isolation_level=None)
        self._db.executescript(_SETTINGS)
        self._db.executescript(_SCHEMA)
        try:
            _Reading(self._db).read(path)
            self._db.executescript(_INDEXES)
        except BaseException:
            self.close()
            raise

    @property
    def began(self) -> datetime:
        """When the recording began."""
        return self.head.began

    def close(self) -> None:
        """Take the table of contents away."""
        self._db.close()
        self._file.close()
        self._folder.cleanup()

    def links(self) -> list[RecordedLink]:
        """The connections of clients, in their sequence; not those that were opened to see whether anybody listens."""
        wanted = "version > 0 OR offered <> '' OR closed_by = 'gateway'"
        rows = self._db.execute(f"SELECT * FROM links WHERE {wanted} ORDER BY link").fetchall()  # noqa: S608
        return [RecordedLink(*row) for row in rows]

    def find(self, request: Asked, link: int) -> Recorded | None:
        """The recorded request that asks the same and was not used yet: of this connection, else of any.

        One that asks and trades nothing may be used again, the last one then.
        """
        columns = "number, link, at, kind, own_id, order_id, reference, oca_group"
        row = self._db.execute(
            f"SELECT {columns} FROM requests WHERE key = ? AND used = 0 ORDER BY link <> ?, number LIMIT 1",  # noqa: S608
            (request.key, link),
        ).fetchone()
        if row is None and not request.trades:
            row = self._db.execute(
                f"SELECT {columns} FROM requests WHERE key = ? ORDER BY link <> ?, number DESC LIMIT 1",  # noqa: S608
                (request.key, link),
            ).fetchone()
        if row is None:
            return None
        self._db.execute("UPDATE requests SET used = used + 1 WHERE number = ?", (row[0],))
        return Recorded(*row)

    def nearest(self, request: Asked) -> str:
        """The recorded request of the same kind that differs least, in words."""
        rows = self._db.execute(
            "SELECT asks, at, used FROM requests WHERE kind = ? LIMIT ?", (request.kind, _CANDIDATES)
        ).fetchall()
        if not rows:
            return f"no {request.kind} was recorded"
        unlike = [(differences(request.asks, json.loads(asks)), at, used) for asks, at, used in rows]
        difference, at, _ = min(unlike, key=lambda row: (len(row[0]), row[2]))
        if not difference:
            return f"the nearest, at {at:.3f} s, asks the same and was answered already"
        words = "; ".join(f"{name} is {mine!r}, was {theirs!r}" for name, (mine, theirs) in difference.items())
        return f"the nearest, at {at:.3f} s, differs in: {words}"

    def messages(self, owner: int, after: int, most: int) -> list[tuple[int, float, Line]]:
        """The next messages that answered a request: number, time and line."""
        rows: list[tuple[int, float, int]] = self._db.execute(
            "SELECT number, at, offset FROM messages WHERE owner = ? AND number > ? ORDER BY number LIMIT ?",
            (owner, after, most),
        ).fetchall()
        return [(number, at, self._line(offset)) for number, at, offset in rows]

    def unused(self) -> int:
        """How many recorded requests nobody has asked again."""
        return int(self._db.execute("SELECT COUNT(*) FROM requests WHERE used = 0").fetchone()[0])

    def _line(self, offset: int) -> Line:
        self._file.seek(offset)
        return read_line(self._file.readline(), offset)


class _Reading:
    """The one pass over a recording."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._requests = 0
        self._messages = 0
        self._links: dict[int, _Link] = {}

    def read(self, path: Path) -> None:
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO messages VALUES (?, ?, ?, ?)", self._rows(path))
        for link, known in self._links.items():
            row = (link, known.version, known.told_time, known.offered, known.client_id)
            times = (known.opened_at, known.closed_at, known.closed)
            self._db.execute("INSERT INTO links VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, *times))
        self._db.execute("COMMIT")

    def _rows(self, path: Path) -> Iterator[tuple[Any, ...]]:
        for line in lines_of(path):
            link = self._links.setdefault(line.link, _Link(line.at))
            link.closed_at = line.at
            if line.hello:
                link.greet(line)
            elif line.closed:
                link.closed = line.closed
            elif line.side == "client" and line.fields:
                self._ask(link, line)
            elif line.side == "gateway" and line.fields:
                self._messages += 1
                yield (self._messages, link.attribution.owner(line.fields, link.version), line.at, line.offset)

    def _ask(self, link: _Link, line: Line) -> None:
        self._requests += 1
        request = asked(line.fields, link.version)
        if request.kind == "startApi":
            link.client_id = request.client_id
        order = request.order_id
        if order is not None and (request.kind == "cancelOrder" or link.attribution.knows_order(order)):
            request = request.about(order)
        link.attribution.ask(self._requests, request)
        self._db.execute(
            "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (
                self._requests, line.link, line.at, request.kind, request.key, json.dumps(dict(request.asks)),
                request.own_id, request.order_id, request.reference, request.oca_group,
            ),
        )  # fmt: skip


class _Link:
    """What is known of one recorded connection."""

    def __init__(self, opened_at: float) -> None:
        self.opened_at = opened_at
        self.attribution = Attribution()
        self.version = 0
        self.told_time = ""
        self.offered = ""
        self.client_id = 0
        self.closed_at = 0.0
        self.closed = ""

    def greet(self, line: Line) -> None:
        if line.side == "client":
            self.offered = line.hello[0]
        elif line.hello[0].isdigit():
            self.version, self.told_time = int(line.hello[0]), "".join(line.hello[1:2])
