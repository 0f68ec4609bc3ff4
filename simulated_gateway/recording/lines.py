"""A recording's lines: JSON objects, one a line, the first of them the head.

head        ``{"recording": 1, "began": "2026-11-22T14:30:00.000000+00:00", "orders": true}``
opened      ``{"at": 0.01, "link": 1, "opened": true}``
handshake   ``{"at": 0.02, "link": 1, "from": "client", "hello": "v157..178"}``, then
            ``{"at": 0.03, "link": 1, "from": "gateway", "hello": ["178", "20261122 09:30:00 EST"]}``
message     ``{"at": 0.04, "link": 1, "from": "client", "is": "reqPositions", "fields": ["61", "1"]}``
unreadable  ``{"at": 0.05, "link": 1, "from": "gateway", "unreadable": 12}``: so many bytes, left out
closed      ``{"at": 9.99, "link": 1, "closed": "gateway"}``: by which side, or "recorder"

``at`` is in seconds since ``began``; messages that came in one piece have the same. ``link`` numbers the connections.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

VERSION = 1
"""Of the format. A player refuses a newer one by number; it reads every older one."""

Side = Literal["client", "gateway"]


class UnreadableRecording(Exception):
    """The file is not a recording, or one of a newer release."""


@dataclass(frozen=True, slots=True)
class Head:
    """A recording's first line."""

    began: datetime
    orders: bool = True

    def text(self) -> str:
        """The line."""
        return as_line({"recording": VERSION, "began": self.began.isoformat(), "orders": self.orders})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Any other line."""

    at: float
    link: int
    side: Side | None = None
    fields: tuple[str, ...] = ()
    #: The handshake's words of that side; the client's is one text.
    hello: tuple[str, ...] = ()
    closed: str = ""
    #: Where it stands in the file.
    offset: int = 0


def as_line(content: dict[str, Any]) -> str:
    """One line of a recording."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"


def read_line(text: str | bytes, offset: int = 0) -> Line:
    """A line that is not the head.

    Raises:
        UnreadableRecording: it is none.
    """
    try:
        content = cast("dict[str, Any]", json.loads(text))
        hello = content.get("hello", ())
        return Line(
            at=float(content["at"]),
            link=int(content["link"]),
            side=content.get("from"),
            fields=tuple(map(str, content.get("fields", ()))),
            hello=(hello,) if isinstance(hello, str) else tuple(map(str, hello)),
            closed=str(content.get("closed", "")),
            offset=offset,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"no line of a recording at byte {offset}: {error}"
        raise UnreadableRecording(message) from error


def read_head(path: Path) -> Head:
    """The head of a recording.

    Raises:
        UnreadableRecording: the file is none, or is newer than this release.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return _head_of(file.readline(1 << 16), path)


def _head_of(text: bytes, path: Path) -> Head:
    try:
        content = cast("dict[str, Any]", json.loads(text))
        version = int(content["recording"])
        began = datetime.fromisoformat(content["began"])
        orders = bool(content.get("orders", True))
    except (ValueError, KeyError, TypeError) as error:
        message = f"{path} is not a recording of a gateway session: its first line is no head"
        raise UnreadableRecording(message) from error
    if version > VERSION:
        message = f"{path} is a recording of format {version}; this release reads up to {VERSION}"
        raise UnreadableRecording(message)
    return Head(began, orders)


def lines_of(path: Path) -> Iterator[Line]:
    """Every line after the head, one at a time. A last line that was cut short, by a crash, is left out.

    Raises:
        UnreadableRecording: a line is none.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        offset = len(file.readline())
        for text in file:
            if not text.endswith(b"\n"):
                return
            yield read_line(text, offset)
            offset += len(text)
