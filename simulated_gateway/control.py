"""The gateway's levers: what was received, who is connected, and everything that can be moved or broken.

Tests in the same process call these methods; the control port offers the same ones over HTTP (`control_http`).
"""

from __future__ import annotations

from decimal import Decimal

from simulated_gateway.brokerage import Brokerage
from simulated_gateway.clock import ManualClock
from simulated_gateway.control_views import ConnectedClient, OrderView, PositionView, view_order
from simulated_gateway.counters import Counters
from simulated_gateway.door import Door
from simulated_gateway.faults import Faults, Forgotten, WhileMute
from simulated_gateway.instruments import ContractQuery
from simulated_gateway.market_data import Quote
from simulated_gateway.trading.ledger import LedgerEntry
from simulated_gateway.trading.order_intake import resolve
from simulated_gateway.trading.orders import Order, Refusal, Status, Ticket
from simulated_gateway.wire import errors, session_messages
from simulated_gateway.wire.layout import Record


class Control:
    """Everything a test, or the control port, may do to a gateway."""

    def __init__(self, brokerage: Brokerage, door: Door) -> None:
        self._brokerage = brokerage
        self._door = door

    # --- what happened

    def ledger(self, since: int = 0) -> list[LedgerEntry]:
        """Every order message received so far, refused ones too; `since` leaves out the first so many."""
        return self._brokerage.ledger.entries[since:]

    def connections(self) -> list[ConnectedClient]:
        """The clients with a session."""
        return [
            ConnectedClient(
                client_id=session.client_id,
                name=session.connection.name,
                server_version=session.version,
                since=session.since,
                market_data_type=session.market_data_type,
                streams=list(session.streams),
            )
            for session in self._brokerage.everyone()
        ]

    def counters(self) -> Counters:
        """Messages received by kind, errors sent and limits broken by code."""
        return self._brokerage.counters

    def orders(self) -> list[OrderView]:
        """Every order, live and ended, oldest first."""
        return [view_order(order) for order in self._brokerage.book.orders.values()]

    def positions(self) -> list[PositionView]:
        """What all accounts hold."""
        return [
            PositionView(
                account=account.code,
                symbol=holding.instrument.symbol,
                con_id=holding.instrument.con_id,
                quantity=holding.quantity,
                average_cost=holding.average_cost,
            )
            for account in self._brokerage.accounts.values()
            for holding in account.held()
        ]

    def faults(self) -> Faults:
        """What is broken at present."""
        return self._brokerage.faults

    def quote(self, con_id: int) -> Quote:
        """A contract's prices now. Raises KeyError for an unknown contract."""
        return self._brokerage.market.quote(con_id)

    # --- market and time

    def move_price(self, con_id: int, price: Decimal) -> None:
        """Set a contract's last price, in its currency; orders and streams react at once.

        Raises:
            KeyError: the contract is unknown.
            ValueError: the price is less than one tick.
        """
        self._brokerage.market.move(con_id, price)
        self.beat()

    def beat(self) -> None:
        """Match orders and publish what changed now, without waiting for the next beat."""
        self._brokerage.beat()

    def advance(self, seconds: float) -> None:
        """Move the gateway's clock forward. Raises TypeError where the gateway has no ManualClock."""
        if not isinstance(self._brokerage.clock, ManualClock):
            message = "only a ManualClock can be advanced"
            raise TypeError(message)
        self._brokerage.clock.advance(seconds)
        self.beat()

    # --- orders

    def add_manual_order(
        self,
        symbol: str,
        action: str,
        quantity: Decimal,
        order_type: str = "LMT",
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        account: str = "",
        tif: str = "DAY",
        sec_type: str = "STK",
        currency: str = "USD",
        con_id: int = 0,
    ) -> int:
        """An order typed in TWS: client 0, order id 0 until client 0 is bound to it. Returns its permId.

        Raises:
            ValueError: the contract is unknown or ambiguous, or the order breaks a rule.
        """
        query = ContractQuery(con_id=con_id, symbol=symbol, sec_type=sec_type, currency=currency)
        instrument = resolve(self._brokerage.catalogue, query)
        if isinstance(instrument, Refusal):
            raise ValueError(instrument.text)  # noqa: TRY004 - the contract is wrong, not its type
        ticket = Ticket(
            client_id=0,
            order_id=0,
            instrument=instrument,
            account=account or next(iter(self._brokerage.accounts)),
            action=action,
            quantity=quantity,
            order_type=order_type,
            limit_price=limit_price,
            aux_price=stop_price,
            tif=tif,
            outside_rth=False,
            order_ref="",
            transmit=True,
            parent_id=0,
            oca_group="",
            what_if=False,
            received=Record(),
        )
        with self._brokerage.kept_before_told():
            order = self._brokerage.desk.submit(ticket)
        if not isinstance(order, Order):
            raise ValueError(order.text if order else "the order left nothing behind")  # noqa: TRY004 - a rule
        return order.perm_id

    def fill_order(self, perm_id: int, price: Decimal, quantity: Decimal | None = None) -> None:
        """Fill a live order at a price, whole or in part, whatever the market says.

        Raises:
            KeyError: there is no such live order.
        """
        order = self._live_order(perm_id)
        with self._brokerage.kept_before_told():
            self._brokerage.desk.fill(order, quantity or order.remaining, price)

    def cancel_order(self, perm_id: int, reason: str = "") -> None:
        """Cancel a live order as the exchange or a person in TWS would. Raises KeyError for no such live order."""
        order = self._live_order(perm_id)
        with self._brokerage.kept_before_told():
            self._brokerage.desk.end(order, Status.CANCELLED, "Cancelled by System", reason)

    def _live_order(self, perm_id: int) -> Order:
        order = self._brokerage.book.orders[perm_id]
        if order.is_final:
            raise KeyError(perm_id)
        return order

    def hold_fills(self, on: bool = True) -> None:
        """Let nothing fill until told otherwise; orders rest at the exchange."""
        self._brokerage.faults.hold_fills = on

    def pace_fills(self, quantity: Decimal | None = None) -> None:
        """Fill no more than this of an order in one beat; None for the size of the quote."""
        self._brokerage.faults.fill_pace = quantity

    # --- faults of orders

    def refuse_next_order(self, code: int = 201, text: str = "Order rejected - reason:<br>No reason.") -> None:
        """Refuse the next new order with this error."""
        self._brokerage.faults.refuse_orders.append(Refusal(code=code, text=text))

    def forget_next(self, kind: Forgotten = "place", count: int = 1) -> None:
        """Let the next new orders, or cancels, take effect without a word about them.

        The orders live, fill, and are in the ledger; requests for orders and executions show them.
        """
        self._brokerage.faults.forget[kind] += count

    def swallow_next_order(self, count: int = 1) -> None:
        """Lose the next new orders before they arrive: they are not in the ledger either."""
        self._brokerage.faults.swallow_orders += count

    def roll_back_order_ids(self, count: int) -> None:
        """Make every client's next order id smaller, as some real gateways do over a restart."""
        self._brokerage.book.identifiers.roll_back(count)

    # --- faults of the link

    def drop_links(self, client_id: int | None = None) -> int:
        """Cut connections as a pulled cable does: one client's, or all. Returns how many."""
        chosen = [
            connection
            for connection in self._brokerage.connections
            if client_id is None or connection is self._connection_of(client_id)
        ]
        for connection in chosen:
            connection.abort()
        return len(chosen)

    def _connection_of(self, client_id: int) -> object:
        session = self._brokerage.sessions.get(client_id)
        return session.connection if session else None

    def send_notice(self, code: int, text: str = "", req_id: int = -1, client_id: int | None = None) -> None:
        """Send an error, warning or notice to one client or all; known codes bring their own text.

        With 1100 (link lost), 1102 (restored, data kept) nothing else changes; 1101 ends all market data lines.
        """
        for session in self._brokerage.everyone():
            if client_id in {None, session.client_id}:
                if code == 1101:
                    for key in [key for key in session.streams if key[0] == "market data"]:
                        session.unsubscribe(key)
                session.error(req_id, code, text or errors.LINK_NOTICES.get(code, ""))

    def refuse_connections(self, seconds: float | None = None) -> None:
        """Let the machine refuse new connections, for a time or until told otherwise."""
        self._door.shut(seconds)

    async def accept_connections(self) -> None:
        """Accept connections again."""
        await self._door.reopen()

    def ignore_handshakes(self, on: bool = True) -> None:
        """Accept new connections and never say a word, as a gateway that waits for its sign-in."""
        self._brokerage.faults.no_handshake = on

    def mute(self, while_mute: WhileMute = "process") -> None:
        """Answer nothing. What arrives is processed, held back until `unmute`, or discarded."""
        self._brokerage.mute(while_mute)

    def unmute(self) -> None:
        """Answer again."""
        self._brokerage.unmute()

    def slow_down(self, seconds: float) -> None:
        """Let every answer be late by this; 0 ends it."""
        self._brokerage.faults.answer_delay = seconds

    def hold_client_id(self, client_id: int, seconds: float) -> None:
        """Answer 326 to this client id for a time, as if a dead client still had it."""
        until = self._brokerage.clock.monotonic() + seconds
        self._brokerage.faults.held_client_ids[client_id] = until

    def hold_dead_client_ids(self, seconds: float) -> None:
        """From now on let every id stay taken for this long after its connection ended; 0 ends it."""
        self._brokerage.faults.dead_client_hold = seconds

    def release_client_ids(self) -> None:
        """Forget every id that a dead client holds."""
        self._brokerage.faults.held_client_ids.clear()

    def compete(self, on: bool = True) -> None:
        """Let another session of the user have the live data: error 10197 for every line, present and to come."""
        self._brokerage.faults.competing_session = on
        if not on:
            return
        for session in self._brokerage.everyone():
            for kind, req_id in list(session.streams):
                if kind == "market data":
                    session.error(req_id, 10197, errors.COMPETING_SESSION)

    def restart(self, seconds: float = 0.0, roll_back_ids: int = 0) -> None:
        """Restart the gateway: every connection ends, none is accepted for a time, order ids may roll back."""
        self._door.shut(seconds)
        for connection in list(self._brokerage.connections):
            connection.close()
        self.roll_back_order_ids(roll_back_ids)

    def clear_faults(self) -> None:
        """Repair everything but the door."""
        self._brokerage.unmute()
        fresh = Faults()
        for name in Faults.__slots__:
            setattr(self._brokerage.faults, name, getattr(fresh, name))

    def tell_next_id(self, client_id: int) -> None:
        """Send a client its next order id unasked, as a gateway does after its own reconnection."""
        session = self._brokerage.sessions[client_id]
        order_id = self._brokerage.book.identifiers.next_order_id(client_id)
        session.send_message(session_messages.next_valid_id(order_id))
