"""One socket to the gateway, from its handshake to its end: requests with time limits, messages within the budget."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from ib_async.client import Client

from broker_worker.gateway.budget import Lane, MessageBudget
from broker_worker.gateway.callbacks import Callbacks
from broker_worker.gateway.decoder import TellingDecoder
from broker_worker.gateway.errors import RequestRefused, as_bridge_error
from broker_worker.gateway.requests import Requests, Wanted
from broker_worker.gateway.waiting import IMPATIENT, Patience
from shared import traces
from shared.errors import BridgeError, GatewayUnavailable, TimedOut

log = logging.getLogger(__name__)


class Session:
    """A socket's life. It is used once; the next connection is a new session."""

    def __init__(self, callbacks_for: Callable[[Requests], Callbacks], budget: MessageBudget) -> None:
        self._requests = Requests()
        self._budget = budget
        self._alone: dict[Wanted, asyncio.Lock] = {}
        self._later: set[asyncio.Task[None]] = set()
        callbacks = callbacks_for(self._requests)
        self.client: Any = cast("Any", Client)(callbacks)
        """ib_async's client: its methods write one message each, at once and in order."""
        self.client.decoder = TellingDecoder(callbacks)
        # The library's own throttle is first come, first served: it once held an order for six seconds.
        self.client.MaxRequests = 0

    @property
    def accounts(self) -> list[str]:
        """The accounts of the user who is signed in."""
        return list(self.client.getAccounts())

    @property
    def server_version(self) -> int:
        """The negotiated protocol version."""
        return int(self.client.serverVersion())

    @property
    def alive(self) -> bool:
        """Whether the handshake is done and the socket is open."""
        return bool(self.client.isReady())

    async def connect(self, host: str, port: int, client_id: int, seconds: float) -> None:
        """Connect and shake hands. Raises ``OSError`` or ``TimeoutError``; the session is then dead."""
        await self.client.connectAsync(host, port, client_id, seconds)

    def abort(self) -> None:
        """Cut the socket without the polite close, which would still deliver what is buffered."""
        transport = self.client.conn.transport
        if transport is not None:
            transport.abort()
        self.client.reset()
        for task in self._later:
            task.cancel()
        self.fail_all("the connection to the gateway was cut")

    def fail_all(self, reason: str) -> None:
        """No answer can come any more."""
        self._requests.fail_all(GatewayUnavailable(reason))

    async def ask(
        self,
        wanted: Wanted,
        lane: Lane,
        seconds: float,
        send: Callable[[int], None],
        cancel: Callable[[int], None] | None = None,
        patience: Patience = IMPATIENT,
    ) -> Any:
        """Send a request that carries an id, and wait for all of its answer.

        ``send`` gets the id and writes the message; ``cancel`` takes the request back where nobody waits any more.
        Raises what the gateway's error means, ``TimedOut``, ``UnreadableAnswer``, ``GatewayUnavailable`` when the
        socket goes away, and ``Busy`` where the turn would come after the caller's patience.
        """
        await self._grant(lane, seconds, patience)
        request = self.client.getReqId()
        answer = self._requests.begin(request, wanted)
        try:
            send(request)
            return await self._answer(answer, seconds)
        except RequestRefused as refused:
            raise as_bridge_error(refused) from refused
        finally:
            self._requests.forget(request)
            if cancel is not None and self.alive and (answer.cancelled() or not answer.done()):
                self.tell_later(Lane.ACCOUNT, lambda: cancel(request))

    async def ask_alone(self, wanted: Wanted, lane: Lane, seconds: float, send: Callable[[], None]) -> Any:
        """Send a request that carries no id; those that want the same go one after the other."""
        async with self._alone.setdefault(wanted, asyncio.Lock()):
            await self._grant(lane, seconds)
            answer = self._requests.begin(wanted, wanted)
            try:
                send()
                return await self._answer(answer, seconds)
            finally:
                self._requests.forget(wanted)

    async def tell(self, lane: Lane, send: Callable[[], None], seconds: float = 10.0) -> None:
        """Send a message that has no answer of its own."""
        await self._grant(lane, seconds)
        send()

    def expected(self, lane: Lane) -> float:
        """In how many seconds a message of this lane would have its turn."""
        return self._budget.expected(lane)[1]

    def tell_later(self, lane: Lane, send: Callable[[], None]) -> None:
        """Send a message when the budget allows, with nobody waiting: to take back what is no longer needed."""
        task = asyncio.create_task(self._tell_quietly(lane, send))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _tell_quietly(self, lane: Lane, send: Callable[[], None]) -> None:
        try:
            await self.tell(lane, send)
        except BridgeError as error:
            log.info("a message was not sent: %s", error.fact)

    async def _grant(self, lane: Lane, seconds: float, patience: Patience = IMPATIENT) -> None:
        if patience is not IMPATIENT:
            seconds = patience.seconds
            place, wait = self._budget.expected(lane)
            await patience.wait_for("a turn at the gateway", place=place, seconds=wait)
        try:
            with traces.span("gateway message", lane=lane.name.lower()):
                async with asyncio.timeout(seconds):
                    await self._budget.acquire(lane)
        except TimeoutError:
            raise TimedOut("the gateway's message budget was used up by others", retry="after 2 s") from None
        if not self.alive:
            raise GatewayUnavailable("the connection to the gateway was lost")
        log.debug("a message goes to the gateway in the lane %s", lane.name.lower())

    async def _answer(self, answer: asyncio.Future[Any], seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            raise TimedOut(f"the gateway did not answer within {seconds:g} s") from None
