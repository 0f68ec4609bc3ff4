"""The link to the gateway: connects, synchronises, watches, reconnects, and says in which state it is and why."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from broker_worker.gateway import errors
from broker_worker.gateway.budget import Lane, MessageBudget
from broker_worker.gateway.callbacks import Callbacks, LinkListener, OrderListener, PositionListener, QuoteListener
from broker_worker.gateway.outages import Outages
from broker_worker.gateway.requests import Requests, Wanted
from broker_worker.gateway.session import Session
from shared import clock
from shared.contract.status import LinkState
from shared.errors import BridgeError, GatewayUnavailable
from shared.masking import mask_accounts

log = logging.getLogger(__name__)

SETTLE_SECONDS = 3.0
"""How long a call that comes right after a start or reconnection waits for it."""

SyncStep = Callable[[Session], Awaitable[None]]
"""What must be known anew after every connection, before anything is served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkConfig:
    """Where the gateway is and how patient to be. Times in seconds."""

    host: str
    port: int
    client_id: int
    mode: Literal["paper", "live"]
    time_zone: str
    outages: Outages
    connect_limit: float = 8.0
    first_pause: float = 1.0
    longest_pause: float = 60.0
    ghost_pause: float = 5.0
    """Between attempts while our client id is taken, probably by our own dead connection."""
    heartbeat_every: float = 10.0
    heartbeat_limit: float = 5.0


class GatewayLink(LinkListener):
    """Keeps one session to the gateway for as long as the worker lives."""

    def __init__(
        self,
        config: LinkConfig,
        budget: MessageBudget,
        orders: OrderListener,
        positions: PositionListener,
        quotes: QuoteListener,
        sync_steps: Sequence[SyncStep],
    ) -> None:
        self._config = config
        self._budget = budget
        self._listeners = (orders, positions, quotes)
        self._sync_steps = sync_steps
        self._session: Session | None = None
        self._closed = asyncio.Event()
        self._resync = asyncio.Event()
        self._id_taken = False
        self._pause = config.first_pause
        self._sync_failure: str | None = None
        self._settled = asyncio.Event()
        self.news = asyncio.Event()
        """Set whenever state or detail change."""
        self.state = LinkState.CONNECTING
        self.since = clock.now()
        self.detail: str | None = "starting"
        self.accounts: list[str] = []
        self.connections = 0
        """Times a new session came to serve."""
        self.server_version: int | None = None
        self.competing_session = False

    @property
    def alive(self) -> bool:
        """Whether a session to the gateway is open, ready or not."""
        return self._session is not None and self._session.alive and self.state is not LinkState.LINK_LOST

    async def settled(self) -> None:
        """Wait while the link is just starting or synchronising, which takes a moment; anything longer has a state."""
        if not self._settled.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_SECONDS):
                    await self._settled.wait()

    @property
    def session(self) -> Session:
        """The session that serves; raises ``GatewayUnavailable`` with the state where there is none."""
        session = self._session
        if self.state is not LinkState.READY or session is None or not session.alive:
            detail = f" ({self.detail})" if self.detail else ""
            retry = {LinkState.PLANNED_OUTAGE: "after 5 min", LinkState.AWAITING_SIGN_IN: "after 1 min"}
            raise GatewayUnavailable(
                f"the gateway link is in state '{self.state}'{detail}", retry=retry.get(self.state, "after 10 s")
            )
        return session

    def synchronise_again(self, why: str) -> None:
        """Read anew what the gateway has, as after a connection; if it does not answer, the connection is cut."""
        log.warning("gateway link: synchronising again: %s", why)
        self._resync.set()

    async def run(self) -> None:
        """Connect and reconnect until cancelled."""
        try:
            while True:
                await self._one_session()
                wait = self._config.ghost_pause if self.state is LinkState.CLIENT_ID_TAKEN else self._pause
                self._pause = min(self._pause * 2, self._config.longest_pause)
                await asyncio.sleep(wait * random.uniform(0.75, 1.25))  # noqa: S311 - spreads reconnections
        finally:
            self._drop()

    async def _one_session(self) -> None:
        """One connection, from its attempt to its end."""
        try:
            await self._serve(await self._connect())
        except (OSError, BridgeError) as error:
            log.info("gateway link: %s", error)
        finally:
            self._drop()

    def _set(self, state: LinkState, detail: str | None) -> None:
        if state is not self.state:
            log.info("gateway link: %s -> %s (%s)", self.state, state, detail)
            self.since = clock.now()
        if (state, detail) != (self.state, self.detail):
            self.news.set()
        self.state, self.detail = state, detail
        if state is LinkState.SYNCHRONISING:
            self._settled.clear()
        else:
            self._settled.set()

    def _away(self, why: str) -> None:
        """The gateway is away: expected, or not."""
        planned = self._config.outages.planned(clock.now())
        if planned:
            self._set(LinkState.PLANNED_OUTAGE, f"{planned}; {why}; reconnecting by itself")
        else:
            self._set(LinkState.LINK_LOST if self.server_version else LinkState.CONNECTING, why)

    async def _connect(self) -> Session:
        config = self._config
        self._closed.clear()
        self._resync.clear()
        self._id_taken = False
        session = self._session = Session(self._callbacks, self._budget)
        handshake = asyncio.ensure_future(
            session.connect(config.host, config.port, config.client_id, config.connect_limit)
        )
        closed = asyncio.ensure_future(self._closed.wait())
        session.client.conn.disconnected += self._closed_early
        try:
            await asyncio.wait({handshake, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not handshake.done():
                handshake.cancel()
            await handshake
        except (OSError, TimeoutError, asyncio.CancelledError) as error:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            self._explain_failure(error)
            raise ConnectionError(self.detail) from error
        finally:
            session.client.conn.disconnected -= self._closed_early
            closed.cancel()
            handshake.cancel()
        return session

    def _callbacks(self, requests: Requests) -> Callbacks:
        return Callbacks(requests, self, *self._listeners, time_zone=self._config.time_zone)

    def _closed_early(self, _reason: str) -> None:
        """The socket closed before the handshake was done; the client itself would wait out its time limit."""
        self._closed.set()

    def _explain_failure(self, error: BaseException) -> None:
        where = f"{self._config.host}:{self._config.port}"
        if self._id_taken:
            self._set(
                LinkState.CLIENT_ID_TAKEN,
                f"client id {self._config.client_id} is in use, probably by our own ghost: the gateway has not noticed "
                "yet that the last connection died; waiting",
            )
        elif isinstance(error, ConnectionRefusedError):
            self._away(f"nothing listens at {where}")
        elif isinstance(error, OSError) and not isinstance(error, TimeoutError):
            self._away(f"no connection to {where}: {error.strerror or error}")
        elif (planned := self._config.outages.planned(clock.now())) is not None:
            self._set(LinkState.PLANNED_OUTAGE, f"{planned}; {where} accepts but the API does not answer")
        else:
            self._set(
                LinkState.AWAITING_SIGN_IN,
                f"{where} accepts connections but the API does not answer: the gateway is starting, or waits for "
                "somebody to sign in (two-factor)",
            )

    async def _serve(self, session: Session) -> None:
        """Synchronise, then watch until the session ends."""
        self.accounts, self.server_version = session.accounts, session.server_version
        misfit = [account for account in self.accounts if account.startswith("D") != (self._config.mode == "paper")]
        if misfit:
            self._set(
                LinkState.WRONG_ACCOUNT,
                f"IBKR_TRADING_MODE is {self._config.mode} but {mask_accounts(', '.join(misfit))} is not a "
                f"{self._config.mode} account; nothing is served",
            )
            raise ConnectionError(self.detail)
        new = True
        while session.alive:
            self._resync.clear()
            failed = f"; the last attempt failed: {self._sync_failure}" if self._sync_failure else ""
            self._set(LinkState.SYNCHRONISING, f"reading positions, orders and executions{failed}")
            try:
                for step in self._sync_steps:
                    await step(session)
            except BridgeError as error:
                self._sync_failure = error.fact
                raise
            self._sync_failure = None
            self._set(LinkState.READY, None)
            self.connections += new
            new = False
            self._pause = self._config.first_pause
            await self._watch(session)

    async def _watch(self, session: Session) -> None:
        """Return when a new synchronisation is due; raise when the session is over."""
        closed = asyncio.ensure_future(self._closed.wait())
        resync = asyncio.ensure_future(self._resync.wait())
        try:
            while True:
                done, _ = await asyncio.wait(
                    {closed, resync}, timeout=self._config.heartbeat_every, return_when=asyncio.FIRST_COMPLETED
                )
                if closed in done:
                    self._away("the gateway closed the connection")
                    raise ConnectionError(self.detail)
                if resync in done:
                    return
                await self._check_alive(session)
        finally:
            closed.cancel()
            resync.cancel()

    async def _check_alive(self, session: Session) -> None:
        try:
            await session.ask_alone(
                Wanted.TIME, Lane.ACCOUNT, self._config.heartbeat_limit, session.client.reqCurrentTime
            )
        except BridgeError as error:
            self._away("the gateway stopped answering; the connection was cut")
            raise ConnectionError(self.detail) from error

    def _drop(self) -> None:
        if self._session is not None:
            self._session.abort()
            self._session = None

    def on_closed(self) -> None:
        """The socket closed after the handshake."""
        if self._session is not None:
            self._session.fail_all("the connection to the gateway was lost")
        if self.state in {LinkState.READY, LinkState.SYNCHRONISING}:
            self._away("the gateway closed the connection")
        self._closed.set()

    def on_notice(self, code: int, text: str) -> None:
        """What the gateway says about the connection as a whole."""
        log.info("gateway notice %d: %s", code, text)
        if code == errors.CLIENT_ID_TAKEN:
            self._id_taken = True
            self._closed.set()
        elif code == errors.LINK_LOST:
            self._away("the gateway lost IBKR's servers (1100)")
        elif code in {errors.LINK_RESTORED_DATA_LOST, errors.LINK_RESTORED}:
            self._resync.set()
        elif code == errors.PORT_RESET:
            self._closed.set()
