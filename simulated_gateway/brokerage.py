"""The house behind the sessions: market, accounts, orders, faults and who is connected. It knows nothing of sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from simulated_gateway import state
from simulated_gateway.catalogue import Catalogue
from simulated_gateway.clock import Clock, ManualClock
from simulated_gateway.config import GatewayConfig
from simulated_gateway.counters import Counters
from simulated_gateway.faults import Faults, WhileMute
from simulated_gateway.instruments import ContractQuery
from simulated_gateway.market import Market
from simulated_gateway.sessions.history_pacing import HistoryPacing
from simulated_gateway.sessions.order_news import OrderNews
from simulated_gateway.trading.accounts import Account, multiplier_of, open_account
from simulated_gateway.trading.ledger import Ledger
from simulated_gateway.trading.order_book import OrderBook, exchange_date
from simulated_gateway.trading.order_desk import OrderDesk
from simulated_gateway.trading.order_rules import Circumstances
from simulated_gateway.trading.orders import Identifiers
from simulated_gateway.trading.valuation import Valuation

if TYPE_CHECKING:
    from simulated_gateway.sessions.connection import Connection
    from simulated_gateway.sessions.session import Session

_FIRST_PERM_ID = 1_250_000_000


class Brokerage:
    """Everything that sessions share."""

    def __init__(self, config: GatewayConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.faults = Faults()
        self.counters = Counters()
        self.ledger = Ledger()
        self.connections: set[Connection] = set()
        self.sessions: dict[int, Session] = {}
        self._listens = asyncio.Event()
        self._listens.set()
        self.catalogue = Catalogue(clock)
        # A market that does not move by itself lives at one moment; hands can still move it.
        market_clock = clock if config.market_moves else ManualClock(clock.now())
        self.market = Market(self.catalogue, market_clock, config.seed)
        self.valuation = Valuation(self.catalogue, self.market, config.base_currency, config.fallback_rates)
        self.accounts = {code: self._opened(code) for code in config.accounts}
        self.book = OrderBook(Identifiers(next_perm_id=_FIRST_PERM_ID + config.seed * 1_000))
        self.history_pacing = HistoryPacing(config.limits, clock)
        around = Circumstances(config, self.accounts, self.book, self.valuation)
        self.news = OrderNews(self)
        self.desk = OrderDesk(around, self.market, clock, self.faults, self.news)
        self._saved: object = None
        if config.state_file is not None and config.state_file.exists():
            state.load(self, config.state_file)

    def _opened(self, code: str) -> Account:
        account = open_account(code, self.config.opening_cash, exchange_date(self.clock.now()))
        for position in self.config.opening_positions:
            query = ContractQuery(symbol=position.symbol, sec_type=position.sec_type, currency=position.currency)
            for instrument in self.catalogue.match(query)[:1]:
                holding = account.holding(instrument)
                holding.quantity = holding.opening_quantity = position.quantity
                holding.average_cost = position.cost * multiplier_of(instrument)
        return account

    def beat(self) -> None:
        """Move the market, match orders, and let every stream send what changed."""
        with self.kept_before_told():
            if self.config.market_moves:
                self.market.tick()
            self.desk.match_all()
            now = self.clock.monotonic()
            for session in list(self.sessions.values()):
                session.publish(now)

    @contextmanager
    def kept_before_told(self) -> Generator[None, None, None]:
        """Whatever changes within is in the state file before any client hears of it."""
        corked = [session.connection for session in self.sessions.values()]
        for connection in corked:
            connection.cork()
        try:
            yield
        finally:
            self.save_changes()
            for connection in corked:
                connection.uncork()

    def mute(self, while_mute: WhileMute) -> None:
        """Answer nothing from now on."""
        self.faults.mute, self.faults.while_mute = True, while_mute
        if while_mute == "hold":
            self._listens.clear()
        else:
            self._listens.set()

    def unmute(self) -> None:
        """Answer again; what was held back is processed now."""
        self.faults.mute = False
        self._listens.set()

    async def until_it_listens(self) -> None:
        """Return at once, unless what arrives is held back."""
        await self._listens.wait()

    def save(self) -> None:
        """Write the state file, where there is one."""
        if self.config.state_file is not None:
            state.save(self, self.config.state_file)

    def save_changes(self) -> None:
        """Write the state file where anything that it keeps has changed."""
        if self.config.state_file is None:
            return
        present = state.fingerprint(self)
        if present != self._saved:
            self._saved = present
            self.save()

    def everyone(self) -> Iterable[Session]:
        """All connected clients."""
        return list(self.sessions.values())

    def client_id_taken(self, client_id: int) -> bool:
        """Whether a client has this id, or a dead one still holds it."""
        until = self.faults.held_client_ids.get(client_id)
        if until is not None and until <= self.clock.monotonic():
            del self.faults.held_client_ids[client_id]
            until = None
        return client_id in self.sessions or until is not None

    def market_data_lines(self) -> int:
        """Market data lines of all clients, streaming and snapshot."""
        return sum(1 for session in self.sessions.values() for kind, _ in session.streams if kind == "market data")

    def open_history(self) -> int:
        """Historical requests of all clients that are unanswered or kept up to date."""
        return sum(1 for session in self.sessions.values() for kind, _ in session.streams if kind == "history")

    def joined(self, session: Session) -> None:
        """A client has started its session."""
        self.sessions[session.client_id] = session

    def left(self, session: Session) -> None:
        """A client's connection has ended; its id stays taken where a fault says so."""
        if self.sessions.get(session.client_id) is not session:
            return
        del self.sessions[session.client_id]
        if self.faults.dead_client_hold > 0:
            until = self.clock.monotonic() + self.faults.dead_client_hold
            self.faults.held_client_ids[session.client_id] = until
        for order in self.book.live():
            if order.ticket.client_id == session.client_id:
                order.silent = False
