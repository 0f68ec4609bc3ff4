"""The order desk: takes, changes, cancels and fills orders, and tells a listener what happened."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from simulated_gateway.clock import Clock
from simulated_gateway.exchange_hours import is_open
from simulated_gateway.faults import Faults
from simulated_gateway.market import Market
from simulated_gateway.wire import errors

from .commissions import commission
from .market_hours import opening_notice
from .matching import Match, match, update_trigger
from .order_book import exchange_date
from .order_families import held_family, rivals, waiting_parent
from .order_listener import OrderListener
from .order_rules import Circumstances, check, margin_impact
from .orders import STOP_TYPES, Execution, Order, Refusal, Status, Ticket

_UNTIL_CANCELLED = frozenset({"GTC", "GTD"})
_IMMEDIATE = frozenset({"IOC", "FOK"})


class OrderDesk:
    """All orders of all accounts of one gateway."""

    def __init__(
        self, around: Circumstances, market: Market, clock: Clock, faults: Faults, listener: OrderListener
    ) -> None:
        self._around = around
        self.book = around.book
        self._market = market
        self._clock = clock
        self._faults = faults
        self._listener = listener
        self._day: date = exchange_date(clock.now())

    # --- what clients ask for

    def submit(self, ticket: Ticket) -> Order | Refusal | None:
        """A new order or a changed one. None for a what-if, which leaves nothing behind."""
        present = self.book.find(ticket.client_id, ticket.order_id)
        reissued = ticket.order_id >= self.book.identifiers.next_order_id(ticket.client_id)
        if ticket.what_if or reissued:
            present = None
        outcome = self._take(ticket) if present is None else self._change(present, ticket)
        if isinstance(outcome, Refusal):
            self._listener.order_noticed(ticket.client_id, ticket.order_id, outcome)
        return outcome

    def cancel(self, client_id: int, order_id: int, *, quietly: bool = False) -> Order | Refusal:
        """What a client asks about one of its own orders."""
        order = self.book.find(client_id, order_id)
        if order is None:
            outcome = Refusal(code=10147, text=f"OrderId {order_id} that needs to be cancelled is not found.")
        elif order.is_final:
            text = f"OrderId {order_id} that needs to be cancelled can not be cancelled, state: {order.status}."
            outcome = Refusal(code=10148, text=text)
        else:
            order.silent = quietly
            self.end(order, Status.CANCELLED, "Cancelled by Trader")
            return order
        self._listener.order_noticed(client_id, order_id, outcome)
        return outcome

    def cancel_all(self) -> None:
        """Every live order of every client, those typed in TWS too. TWS API: `reqGlobalCancel`."""
        for order in self.book.live():
            if not order.is_final:
                self.end(order, Status.CANCELLED, "Cancelled by Trader")

    # --- what time and market do

    def match_all(self) -> None:
        """Trigger and fill what the market now reaches; end what the exchange's day has ended."""
        today = exchange_date(self._clock.now())
        if today != self._day:
            self._day = today
            self._start_day(today)
        for order in self.book.live():
            self.match(order)

    def match(self, order: Order) -> None:
        """Trigger and fill one order as far as the market now reaches it."""
        if order.is_final or order.status is Status.API_PENDING or self._waits_for_parent(order):
            return
        if not self._market_open(order.ticket):
            return
        try:
            quote = self._market.quote(order.ticket.instrument.con_id)
        except KeyError:
            # An option or future whose last day is over.
            self.end(order, Status.CANCELLED, "Expired")
            return
        update_trigger(order, quote)
        self._work(order)
        if self._faults.hold_fills:
            return
        found = match(order, quote)
        if found is not None and (order.ticket.tif != "FOK" or found.quantity >= order.remaining):
            self._fill(order, found)
        if order.ticket.tif in _IMMEDIATE and not order.is_final:
            self.end(order, Status.CANCELLED, "Cancelled by Exchange")

    def fill(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """A fill that someone else decided on."""
        self._execute(order, min(quantity, order.remaining), price)

    def end(self, order: Order, status: Status, completed_status: str, reason: str = "") -> None:
        """Finish an order's life without a fill, and its children's with it."""
        order.status = status
        order.ended_at = self._clock.now()
        order.completed_status = completed_status
        order.why_held = ""
        self.book.ended(order)
        self._changed(order)
        if status is Status.CANCELLED and not order.silent:
            notice = Refusal(code=202, text=errors.ORDER_CANCELED + reason)
            self._listener.order_noticed(*order.key, notice)
        for child in list(self.book.children(order)):
            self.end(child, Status.CANCELLED, "Cancelled by System")

    # --- taking

    def _take(self, ticket: Ticket) -> Order | Refusal | None:
        identifiers = self.book.identifiers
        if not ticket.what_if and 0 < ticket.order_id < identifiers.next_order_id(ticket.client_id):
            return Refusal(code=103, text=errors.DUPLICATE_ORDER_ID)
        if not ticket.what_if:
            identifiers.saw(ticket.client_id, ticket.order_id)
        if refusal := check(ticket, self._around):
            return self._refuse(ticket, refusal)
        if ticket.what_if:
            impact = margin_impact(ticket, self._around.accounts[ticket.account], self._around.valuation)
            self._listener.order_previewed(ticket, impact)
            return None
        if self._faults.refuse_orders:
            return self._refuse(ticket, self._faults.refuse_orders.popleft())
        return self._accept(ticket)

    def _refuse(self, ticket: Ticket, refusal: Refusal) -> Refusal:
        """Refusals by the exchange (201) leave an inactive order behind, the others nothing."""
        if refusal.code == 201 and not ticket.what_if:
            order = self._order(ticket, Status.INACTIVE)
            order.ended_at = order.placed_at
            order.completed_status = "Rejected"
            self.book.add(order)
            self._listener.order_changed(order)
        return refusal

    def _accept(self, ticket: Ticket) -> Order:
        order = self._order(ticket, Status.PRE_SUBMITTED if ticket.transmit else Status.API_PENDING)
        order.silent = self._faults.take_forgotten("place")
        self._preset_tif(order)
        self.book.add(order)
        self._changed(order)
        if ticket.transmit:
            self._release_family(order)
            self._start(order)
        return order

    def _order(self, ticket: Ticket, status: Status) -> Order:
        perm_id = self.book.identifiers.take_perm_id()
        return Order(ticket=ticket, perm_id=perm_id, status=status, placed_at=self._clock.now())

    def _preset_tif(self, order: Order) -> None:
        if not order.ticket.tif:
            order.ticket.tif = "DAY"
            self._notice(order, Refusal(code=10349, text=errors.TIF_PRESET))

    def _start(self, order: Order) -> None:
        """From here on the order competes, or waits for what it has to wait for."""
        if not self._market_open(order.ticket):
            if order.ticket.tif in _IMMEDIATE:
                self.end(order, Status.CANCELLED, "Cancelled by Exchange")
                return
            self._notice(order, opening_notice(order, self._clock.now()))
        self.match(order)

    def _release_family(self, order: Order) -> None:
        for held in list(held_family(self.book, order)):
            held.status = Status.PRE_SUBMITTED
            self._changed(held)
            self._start(held)

    # --- changing

    def _change(self, order: Order, ticket: Ticket) -> Order | Refusal:
        if refusal := self._unchangeable(order, ticket) or check(ticket, self._around):
            return refusal
        if ticket.quantity <= order.filled:
            return Refusal(code=201, text=errors.rejected("The new quantity is not above the filled quantity."))
        order.ticket = ticket
        order.silent = False
        self._preset_tif(order)
        if order.ticket.order_type in STOP_TYPES:
            order.triggered = False
        if order.status is Status.API_PENDING and ticket.transmit:
            order.status = Status.PRE_SUBMITTED
        self._changed(order)
        self._release_family(order)
        self.match(order)
        return order

    def _unchangeable(self, order: Order, ticket: Ticket) -> Refusal | None:
        if order.status is Status.FILLED:
            return Refusal(code=104, text=errors.CANNOT_MODIFY_FILLED)
        if order.is_final:
            return Refusal(code=103, text=errors.DUPLICATE_ORDER_ID)
        before = order.ticket
        same = (before.instrument.con_id, before.action, before.account, before.parent_id)
        if (ticket.instrument.con_id, ticket.action, ticket.account, ticket.parent_id) != same:
            return Refusal(code=105, text=errors.MODIFY_MISMATCH)
        if ticket.order_type != before.order_type:
            return Refusal(code=329, text="Order modify failed. Cannot change to the new order type.")
        return None

    # --- filling

    def _work(self, order: Order) -> None:
        """Show the order as being at the exchange, where that is new."""
        resting_stop = order.ticket.order_type in STOP_TYPES and not order.triggered
        immediate = order.ticket.order_type == "MKT" or order.ticket.tif in _IMMEDIATE
        status = Status.PRE_SUBMITTED if resting_stop or immediate else Status.SUBMITTED
        why_held = "trigger" if resting_stop else ""
        if (order.status, order.why_held) != (status, why_held) and not (immediate and not order.why_held):
            order.status, order.why_held = status, why_held
            self._changed(order)

    def _fill(self, order: Order, found: Match) -> None:
        pace = self._faults.fill_pace
        self._execute(order, min(found.quantity, pace) if pace else found.quantity, found.price)

    def _execute(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        ticket = order.ticket
        fee = commission(ticket.instrument, quantity, price)
        signed = quantity.copy_sign(ticket.signed_quantity)
        realized = self._around.accounts[ticket.account].apply(ticket.instrument, signed, price, fee)
        order.filled += quantity
        order.filled_value += quantity * price
        order.last_fill_price = price
        order.fills += 1
        now = self._clock.now()
        number = self.book.identifiers.take_execution()
        execution = Execution(
            execution_id=f"0000e0d5.{int(now.timestamp()):08x}.{number:04d}.01",
            order=order,
            time=now,
            quantity=quantity,
            price=price,
            cumulative=order.filled,
            average_price=order.average_price,
            exchange=_venue(ticket),
            commission=fee,
            realized=realized,
        )
        self.book.executions.append(execution)
        if order.remaining <= 0:
            order.status = Status.FILLED
            order.ended_at = now
            order.completed_status = f"Filled Size: {order.filled.normalize():f}"
            self.book.ended(order)
        elif order.ticket.order_type == "MKT":
            order.status = Status.SUBMITTED
        self._tell_fill(execution)
        if order.is_final:
            self._filled_family(order)

    def _tell_fill(self, execution: Execution) -> None:
        if execution.order.silent:
            return
        self._listener.order_executed(execution)
        self._listener.order_changed(execution.order)
        self._listener.commission_charged(execution)

    def _filled_family(self, order: Order) -> None:
        """A filled parent sets its children to work; a filled order of a group cancels the others."""
        for child in list(self.book.children(order)):
            if child.status is not Status.API_PENDING:
                child.why_held = ""
                self._start(child)
        for rival in list(rivals(self.book, order)):
            self.end(rival, Status.CANCELLED, "Cancelled by System")

    # --- circumstances

    def _waits_for_parent(self, order: Order) -> bool:
        waits = waiting_parent(self.book, order) is not None
        if waits and order.why_held != "child":
            order.why_held = "child"
            self._changed(order)
        return waits

    def _market_open(self, ticket: Ticket) -> bool:
        if not self._around.config.exchange_hours:
            return True
        return is_open(ticket.instrument, self._clock.now(), ticket.outside_rth)

    def _start_day(self, today: date) -> None:
        for order in self.book.live():
            if order.ticket.tif not in _UNTIL_CANCELLED or _expired(order, today):
                self.end(order, Status.CANCELLED, "Expired")
        for account in self._around.accounts.values():
            account.start_day(today)

    def _changed(self, order: Order) -> None:
        if not order.silent:
            self._listener.order_changed(order)

    def _notice(self, order: Order, notice: Refusal) -> None:
        if not order.silent:
            self._listener.order_noticed(*order.key, notice)


def _expired(order: Order, today: date) -> bool:
    until = order.ticket.received.text("good_till_date")[:8]
    return order.ticket.tif == "GTD" and until.isdigit() and until < today.strftime("%Y%m%d")


def _venue(ticket: Ticket) -> str:
    """Where a smart-routed order really traded."""
    instrument = ticket.instrument
    if instrument.exchange != "SMART":
        return instrument.exchange
    return instrument.primary_exchange or next(
        (name for name in instrument.valid_exchanges if name != "SMART"), "SMART"
    )
