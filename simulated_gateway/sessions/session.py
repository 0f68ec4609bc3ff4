"""One client's session, from its startApi to the end of its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from simulated_gateway.wire import session_messages
from simulated_gateway.wire.framing import Field, Message

from .connection import Connection
from .message_rate import MessageRate

if TYPE_CHECKING:
    from simulated_gateway.brokerage import Brokerage


class Stream(Protocol):
    """Something a client has subscribed to."""

    def publish(self, now: float) -> None:
        """Send what changed, if it is time; `now` is the clock's monotonic time."""
        ...

    def stop(self) -> None:
        """The client cancelled, or is gone."""
        ...


#: A stream's kind and its request id (-1 where its kind has none).
StreamKey = tuple[str, int]


class Session:
    """What the gateway knows of one connected client."""

    def __init__(
        self, brokerage: Brokerage, connection: Connection, version: int, client_id: int, since: datetime
    ) -> None:
        self.brokerage = brokerage
        self.connection = connection
        self.version = version
        self.client_id = client_id
        self.since = since
        self.rate = MessageRate(brokerage.config.limits, brokerage.clock)
        #: 1 live, 2 frozen, 3 delayed, 4 delayed and frozen. TWS API: `reqMarketDataType`.
        self.market_data_type = 1
        #: Whether orders typed in TWS become this client's. TWS API: `reqAutoOpenOrders`, client 0 alone.
        self.auto_bind = False
        self.streams: dict[StreamKey, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, *fields: Field) -> None:
        """Send one message."""
        self.connection.send(fields)

    def send_message(self, message: Message) -> None:
        """Send one message."""
        self.connection.send(message)

    def error(self, req_id: int, code: int, text: str) -> None:
        """Send an error, a warning or a notice."""
        self.brokerage.counters.errors[code] += 1
        self.connection.send(session_messages.error(req_id, code, text, self.version))

    def subscribe(self, key: StreamKey, stream: Stream) -> None:
        """Begin a stream; one of the same kind and id ends."""
        self.unsubscribe(key)
        self.streams[key] = stream

    def unsubscribe(self, key: StreamKey) -> bool:
        """End a stream; whether there was one."""
        stream = self.streams.pop(key, None)
        if stream is not None:
            stream.stop()
        return stream is not None

    def publish(self, now: float) -> None:
        """Let every stream send what is due."""
        for stream in list(self.streams.values()):
            stream.publish(now)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something for this client that ends with it."""
        task = asyncio.create_task(work, name=f"client {self.client_id}: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End everything that runs for this client."""
        for key in list(self.streams):
            self.unsubscribe(key)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.connection.close()
