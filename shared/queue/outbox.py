"""Rows that leave together: while one script call is under way, what comes in waits for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

Row = tuple[str | bytes | int, ...]
Send = Callable[[Sequence[Row]], Awaitable[Sequence[bytes]]]
"""Sends some rows; an answer for each, in their order."""

MOST_ROWS = 128
"""In one call: Redis does nothing else while a script runs."""


class Outbox:
    """Sends rows through one call at a time, at most ``MOST_ROWS`` in each."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: list[tuple[Row, asyncio.Future[bytes]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._under_way: asyncio.Future[None] | None = None

    async def put(self, row: Row) -> bytes:
        """The answer to one row, or the error of the call it went with.

        A row whose caller is cancelled before its call begins is not sent; a call that has begun is carried out.
        """
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, answer))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all(), name="outbox")
        return await answer

    async def settled(self) -> None:
        """Return when the call now under way has ended: a row whose caller is gone was in it, or is never sent."""
        if self._under_way is not None:
            await asyncio.wait([self._under_way])

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch = [entry for entry in self._waiting[:MOST_ROWS] if not entry[1].done()]
                del self._waiting[:MOST_ROWS]
                if batch:
                    await self._send_batch(batch)
        finally:
            self._sending = None
            for _, answer in self._waiting:
                answer.cancel()
            self._waiting.clear()

    async def _send_batch(self, batch: list[tuple[Row, asyncio.Future[bytes]]]) -> None:
        under_way = self._under_way = asyncio.get_running_loop().create_future()
        try:
            outcomes = await self._send([row for row, _ in batch])
        except Exception as error:  # whatever it is, it belongs to those who wait
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        finally:
            self._under_way = None
            under_way.set_result(None)
        for (_, answer), outcome in zip(batch, outcomes, strict=True):
            if not answer.done():
                answer.set_result(outcome)
