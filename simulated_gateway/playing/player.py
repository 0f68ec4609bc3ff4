"""Answers clients from a recording: what they ask is looked up, what was answered is told them under their own ids.

What was not recorded is never invented: such a request is answered with error 321, or 201 where it is an order, and
the player says which recorded request is nearest.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from simulated_gateway.recording.lines import Line
from simulated_gateway.sessions.connection import Sink
from simulated_gateway.wire.errors import rejected
from simulated_gateway.wire.framing import (
    MalformedFrame,
    decode_fields,
    encode_frame,
    read_client_versions,
    read_payload,
)
from simulated_gateway.wire.session_messages import NO_REQUEST, error, server_hello

from .asking import Asked, asked
from .index import Index, Recorded, RecordedLink
from .stage import Pace, Stage
from .translation import Names

_log = logging.getLogger(__name__)

_NOT_RECORDED, _ORDER_NOT_RECORDED = 321, 201
_HANDSHAKE_SECONDS = 60.0
#: Of what could not be matched, so many are kept to be told at the end.
_KEPT = 100


class Player:
    """Plays one recording to any number of clients, one after the other or at once."""

    def __init__(self, index: Index, *, speed: float = 1.0, pace: Pace = "request", origin: float = 0.0) -> None:
        """`speed` 0 leaves out every wait; `origin` is the loop's time at which the recording begins, for `session`."""
        self._index = index
        self._speed = speed
        self._pace: Pace = pace
        self._origin = origin
        links = index.links()
        # That a gateway was away is played only to who keeps to the recording's times; anybody else wants answers.
        self._links = deque(links if pace == "session" else [link for link in links if link.version])
        self._last_link = next((link for link in reversed(links) if link.version), None)
        self._words: dict[str, str] = {}
        self._names: dict[int, Names] = {}
        self.answered = 0
        self.unmatched: deque[str] = deque(maxlen=_KEPT)
        self.unmatched_count = 0

    @property
    def next_opens_at(self) -> float | None:
        """When the next recorded connection was opened, in seconds since the recording began; None after the last."""
        return self._links[0].opened_at if self._links else None

    async def serve(self, reader: asyncio.StreamReader, sink: Sink, name: str = "client") -> None:
        """Serve one client until either side ends."""
        try:
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
                performance = await self._greet(reader, sink)
            if performance is not None:
                await performance.run(reader)
        except MalformedFrame as problem:
            _log.warning("%s sent %s: connection closed", name, problem)
        except (ConnectionError, TimeoutError) as problem:
            _log.info("%s is gone: %s", name, problem or type(problem).__name__)
        finally:
            sink.close()

    async def _greet(self, reader: asyncio.StreamReader, sink: Sink) -> _Performance | None:
        """The handshake at the recorded version; None where there is none."""
        offered = await read_client_versions(reader)
        link = self._links[0] if self._links else self._last_link
        if offered is None or link is None:
            return None
        if not link.version:
            self._links.popleft()
            if self._speed:
                await asyncio.sleep(self._origin + link.closed_at / self._speed - asyncio.get_running_loop().time())
            return None
        if not offered[0] <= link.version <= offered[1]:
            _log.error("the client speaks versions %d to %d; the recording is of %d", *offered, link.version)
            return None
        sink.write(encode_frame(server_hello(link.version, link.told_time)))
        while (payload := await read_payload(reader)) is not None:
            fields = decode_fields(payload)
            request = asked(fields, link.version)
            if request.kind == "startApi":
                return self._start(request, link.version, sink)
        return None

    def _start(self, request: Asked, version: int, sink: Sink) -> _Performance | None:
        """The recorded connection to play: the next of this client id, else the next, else the last once more."""
        link = next((link for link in self._links if link.version and link.client_id == request.client_id), None)
        link = link or (self._links[0] if self._links else self._last_link)
        if link is None or link.version != version:
            return None
        with suppress(ValueError):
            self._links.remove(link)
        begun = self._index.find(request, link.link)
        if begun is None:
            _log.error("the recorded connection %d never started its session", link.link)
            return None
        stage = Stage(self._index, speed=self._speed, pace=self._pace, origin=self._origin)
        names = self._names.setdefault(link.client_id, Names(link.client_id, self._words))
        names.client_id = request.client_id
        performance = _Performance(self, self._index, link, stage, sink, begun, names)
        stage.begin(begun, None, asyncio.get_running_loop().time())
        return performance

    def not_matched(self, request: Asked) -> None:
        """A client asked what was not recorded."""
        self.unmatched_count += 1
        words = f"{request.kind}: {self._index.nearest(request)}"
        self.unmatched.append(words)
        _log.warning("not in the recording: %s", words)


class _Performance:
    """One live connection."""

    def __init__(
        self, player: Player, index: Index, link: RecordedLink, stage: Stage, sink: Sink, begun: Recorded, names: Names
    ) -> None:
        self._player = player
        self._index = index
        self._link = link
        self._stage = stage
        self._sink = sink
        self._begun = begun
        self._begun_at = asyncio.get_running_loop().time()
        self._names = names
        self._news = asyncio.Event()

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Take requests and tell answers until either side ends."""
        telling = asyncio.create_task(self._tell(), name="player: answers")
        asking = asyncio.create_task(self._listen(reader), name="player: requests")
        try:
            done, _ = await asyncio.wait({telling, asking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            telling.cancel()
            asking.cancel()
            await asyncio.gather(telling, asking, return_exceptions=True)
        for task in done:
            task.result()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while (payload := await read_payload(reader)) is not None:
            self._take(decode_fields(payload))
            self._news.set()

    def _take(self, fields: Sequence[str]) -> None:
        request = asked(fields, self._link.version)
        if request.cancels:
            if request.req_id is not None:
                self._stage.end(request.req_id)
            self._index.find(request, self._link.link)
            return
        if request.order_id is not None and (
            request.kind == "cancelOrder" or self._names.knows_order(request.order_id)
        ):
            request = request.about(self._names.recorded_order(request.order_id))
        recorded = self._index.find(request, self._link.link)
        if recorded is None:
            self._player.not_matched(request)
            self._refuse(request)
            return
        self._player.answered += 1
        self._names.matched(request, recorded)
        self._stage.begin(recorded, request.own_id, asyncio.get_running_loop().time())

    def _refuse(self, request: Asked) -> None:
        number = NO_REQUEST if request.own_id is None else request.own_id
        text = f"This {request.kind} is not in the recording."
        code = _ORDER_NOT_RECORDED if request.trades else _NOT_RECORDED
        self._sink.write(
            encode_frame(error(number, code, rejected(text) if request.trades else text, self._link.version))
        )

    async def _tell(self) -> None:
        """Tell what is due; return when the recorded gateway closed the connection."""
        loop = asyncio.get_running_loop()
        end = self._end()
        while True:
            self._news.clear()
            now = loop.time()
            due = self._stage.next_at()
            if due is not None and due <= now:
                piece: list[bytes] = []
                self._stage.take(now, lambda line, live_id: piece.append(self._frame(line, live_id)))  # noqa: B023
                self._sink.write(b"".join(piece))
                await asyncio.sleep(0)
                continue
            if end is not None and end <= now:
                return
            wait = min((at for at in (due, end) if at is not None), default=None)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(wait):
                    await self._news.wait()

    def _frame(self, line: Line, live_id: int | None) -> bytes:
        return encode_frame(self._names.translated(line.fields, live_id, self._link.version))

    def _end(self) -> float | None:
        if self._link.closed_by != "gateway":
            return None
        return max(self._stage.moment(self._link.closed_at, self._begun, self._begun_at), self._begun_at)
