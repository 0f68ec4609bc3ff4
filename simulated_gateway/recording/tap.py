"""Listens to one connection: cuts both directions into messages, disguises them and puts them on the tape."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from simulated_gateway.wire.framing import LENGTH_BYTES, MAX_FRAME_BYTES, MalformedFrame, decode_fields

from .disguise import Disguise, name_of
from .lines import Side, as_line
from .tape import Tape

_PREFIX = b"API\0"
#: A gateway's answer may be longer than any request: scanner parameters and option chains.
_LONGEST = 64 * MAX_FRAME_BYTES
#: From here on messages are no longer text.
_PROTOBUF = 201
_OFFER = re.compile(r"v\d+(?:\.\.\d+)?")


class Tap:
    """One connection's two directions."""

    def __init__(self, link: int, tape: Tape, disguise: Disguise, clock: Callable[[], float]) -> None:
        self._link = link
        self._tape = tape
        self._disguise = disguise
        self._clock = clock
        self._version = 0
        self._last_at = -1.0
        self._sides: dict[Side, _Cutter] = {
            "client": _Cutter(prefixed=True, longest=MAX_FRAME_BYTES),
            "gateway": _Cutter(prefixed=False, longest=_LONGEST),
        }

    def opened(self) -> None:
        """The connection stands."""
        self._put(self._at(), {"opened": True})

    def closed(self, by: str) -> None:
        """The connection ended; `by` says which side ended it."""
        self._put(self._at(), {"closed": by})

    def hear(self, side: Side, data: bytes) -> None:
        """Bytes that one side has just sent; what came in one piece is written with one time."""
        at = self._at()
        for payload in self._sides[side].cut(data):
            self._write(at, side, payload)

    def _at(self) -> float:
        """Seconds since the recording began, never twice the same."""
        at = round(self._clock(), 6)
        if at <= self._last_at:
            at = round(self._last_at + 0.000001, 6)
        self._last_at = at
        return at

    def _write(self, at: float, side: Side, payload: bytes | int) -> None:
        self._tape.messages += 1
        cutter = self._sides[side]
        if isinstance(payload, int):
            self._put(at, {"from": side, "unreadable": payload})
            return
        if not cutter.greeted:
            cutter.greeted = True
            self._put(at, {"from": side, "hello": self._greeting(side, payload)})
            return
        fields = self._fields(payload)
        if fields is None:
            self._put(at, {"from": side, "unreadable": len(payload)})
            return
        disguised = self._disguise.message(self._link, side, fields, self._version)
        if disguised is not None:
            self._put(at, {"from": side, "is": name_of(side, fields), "fields": disguised})

    def _fields(self, payload: bytes) -> list[str] | None:
        try:
            return decode_fields(payload) if self._version < _PROTOBUF else None
        except MalformedFrame:
            return None

    def _greeting(self, side: Side, payload: bytes) -> str | list[str]:
        text = payload.decode("ascii", "backslashreplace")
        if side == "client":
            # The connect options that may follow are nobody's business.
            offer = _OFFER.match(text)
            return offer[0] if offer else ""
        words = text.split("\0")[:2]
        self._version = int(words[0]) if words[0].isdigit() else 0
        return words

    def _put(self, at: float, content: dict[str, Any]) -> None:
        self._tape.put(as_line({"at": at, "link": self._link, **content}))


class _Cutter:
    """Cuts a stream into frames' payloads; what cannot be cut any more is counted and dropped."""

    def __init__(self, *, prefixed: bool, longest: int) -> None:
        self._data = bytearray()
        self._prefixed = prefixed
        self._longest = longest
        self._lost = False
        self.greeted = False

    def cut(self, data: bytes) -> list[bytes | int]:
        """The payloads that are now complete; a number stands for so many bytes that are no frame."""
        if self._lost:
            return [len(data)]
        self._data += data
        if self._prefixed and len(self._data) >= len(_PREFIX):
            self._prefixed = False
            if not self._data.startswith(_PREFIX):
                return [self._lose()]
            del self._data[: len(_PREFIX)]
        payloads: list[bytes | int] = []
        begin = 0
        while not self._prefixed and len(self._data) - begin >= LENGTH_BYTES:
            length = int.from_bytes(self._data[begin : begin + LENGTH_BYTES])
            if not 0 < length <= self._longest:
                del self._data[:begin]
                return [*payloads, self._lose()]
            if len(self._data) - begin < LENGTH_BYTES + length:
                break
            payloads.append(bytes(self._data[begin + LENGTH_BYTES : begin + LENGTH_BYTES + length]))
            begin += LENGTH_BYTES + length
        del self._data[:begin]
        return payloads

    def _lose(self) -> int:
        self._lost = True
        length = len(self._data)
        self._data.clear()
        return length
