"""What ib_async's decoder calls for each message, in place of the library's own cache of everything.

ib_async brings the socket, the framing and the field layouts (``Client`` and ``Decoder``). Its ``Wrapper`` is not used:
it hangs on error 321, keeps one future for several callers, marks live orders as cancelled on informational errors
and never forgets. Here a message either ends a request that waits for it or goes to the listener that owns the matter.
The names are the TWS API's; only messages somebody here understands have a method, the decoder skips the others.
A method that raises has refused its message, which is then one that could not be read (``missed``). What the
decoder leaves as text and must be a number is therefore read here, before anybody keeps it.
"""

from __future__ import annotations

import logging
from datetime import UTC
from types import SimpleNamespace
from typing import TYPE_CHECKING, Protocol

from broker_worker.gateway.convert import exact
from broker_worker.gateway.errors import INFORMATION, RequestRefused
from broker_worker.gateway.requests import Requests, Wanted

if TYPE_CHECKING:
    from ib_async import (
        BarData,
        CommissionReport,
        Contract,
        ContractDescription,
        ContractDetails,
        Execution,
        Order,
        OrderState,
    )

log = logging.getLogger(__name__)

LAST_TRADE_TICKS = frozenset({45, 88})
MODEL_TICKS = frozenset({13, 83})
"""Live and delayed. Source: TWS API, Tick Types."""


class OrderListener(Protocol):
    """Hears everything about orders, in the sequence it came."""

    def on_open_order(self, contract: Contract, order: Order, state: OrderState) -> None:
        """An order's terms, with the status it has."""

    def on_status(
        self, order_id: int, status: str, filled: float, remaining: float, average: float, perm_id: int, client_id: int
    ) -> None:
        """A status, which may repeat or come late."""

    def on_execution(self, contract: Contract, execution: Execution) -> None:
        """A fill, live or from the day's list."""

    def on_commission(self, report: CommissionReport) -> None:
        """What a fill cost."""

    def on_completed(self, contract: Contract, order: Order, state: OrderState) -> None:
        """An order of today that can no longer fill."""

    def on_order_error(self, order_id: int, code: int, text: str) -> bool:
        """An error that names an order id; whether it is one of ours."""
        ...


class PositionListener(Protocol):
    """Hears holdings and their profit."""

    def on_position(self, account: str, contract: Contract, quantity: float, average_cost: float) -> None:
        """A holding as it is now; 0 where it was closed."""

    def on_pnl(self, request: int, daily: float, unrealized: float, realized: float, value: float) -> None:
        """One holding's profit and worth."""

    def on_account_pnl(self, request: int, daily: float, unrealized: float, realized: float) -> None:
        """One account's profit, in its base currency."""


class QuoteListener(Protocol):
    """Hears market data."""

    def on_price(self, request: int, tick: int, price: float, size: float) -> None:
        """A price and the size that came with it."""

    def on_size(self, request: int, tick: int, size: float) -> None:
        """A size or volume."""

    def on_last_trade(self, request: int, seconds: str) -> None:
        """When the last trade was, as Unix seconds."""

    def on_greeks(
        self, request: int, volatility: float, delta: float, gamma: float, vega: float, theta: float, price: float
    ) -> None:
        """The model's implied volatility and greeks of an option, and its underlying's price; -1 and -2 mean none."""

    def on_farm(self, code: int, text: str) -> None:
        """A notice about the servers behind the gateway that market data comes from."""

    def on_data_kind(self, request: int, kind: int) -> None:
        """Which kind of data follows. Source: TWS API, market data types 1 to 4."""

    def on_quote_error(self, request: int, code: int, text: str) -> bool:
        """An error that names a request; whether it is a line of ours."""
        ...


class LinkListener(Protocol):
    """Hears about the connection itself."""

    def on_notice(self, code: int, text: str) -> None:
        """A message of the gateway that names no request."""

    def on_closed(self) -> None:
        """The socket is gone."""

    def synchronise_again(self, why: str) -> None:
        """Something was missed: all that is kept is to be read anew."""


class Callbacks:
    """One socket's messages, each to whom it concerns."""

    defaultTimezone = UTC

    def __init__(
        self,
        requests: Requests,
        link: LinkListener,
        orders: OrderListener,
        positions: PositionListener,
        quotes: QuoteListener,
        time_zone: str,
    ) -> None:
        self.ib = SimpleNamespace(TimezoneTWS=time_zone)
        """Where the decoder looks up the zone of times that come without one."""
        self._requests = requests
        self._link = link
        self._orders = orders
        self._positions = positions
        self._quotes = quotes

    def connectAck(self) -> None:
        """The socket is up; the handshake goes on."""

    def setEventsDone(self) -> None:
        """The client says so before it closes; ``connectionClosed`` follows where it mattered."""

    def connectionClosed(self) -> None:
        """The socket closed after the handshake."""
        self._link.on_closed()

    def error(self, request: int, code: int, text: str, _advanced: str) -> None:
        """An error or remark: to the request, order or line it names, else to the link."""
        if self._requests.waits_for(request):
            if code in INFORMATION:
                log.info("gateway remarks on request %d: %d %s", request, code, text)
            else:
                self._requests.fail(request, RequestRefused(code, text))
        elif request > 0 and (
            self._quotes.on_quote_error(request, code, text) or self._orders.on_order_error(request, code, text)
        ):
            return
        else:
            self._quotes.on_farm(code, text)
            self._link.on_notice(code, text)

    def missed(self, wanted: Wanted | None, *, last: bool = False) -> None:
        """A message that is part of such an answer, or perhaps of any, could not be read, or was refused here."""
        awaited = self._requests.spoil(wanted, last=last)
        if wanted is Wanted.POSITIONS and not awaited:
            self._link.synchronise_again("a change of a holding could not be read")

    def currentTime(self, seconds: int) -> None:
        """The gateway is alive."""
        self._requests.end(Wanted.TIME, Wanted.TIME, seconds)

    def contractDetails(self, request: int, details: ContractDetails) -> None:
        """One contract that fits a query."""
        exact(details.contract.multiplier if details.contract else None)
        self._requests.add(request, Wanted.CONTRACTS, details)

    bondContractDetails = contractDetails

    def contractDetailsEnd(self, request: int) -> None:
        """That were all that fit."""
        self._requests.end(request, Wanted.CONTRACTS)

    def symbolSamples(self, request: int, found: list[ContractDescription]) -> None:
        """All contracts a pattern matches."""
        self._requests.end(request, Wanted.SYMBOLS, found)

    def historicalData(self, request: int, bar: BarData) -> None:
        """One bar."""
        self._requests.add(request, Wanted.BARS, bar)

    def historicalDataEnd(self, request: int, _start: str, _end: str) -> None:
        """That were all bars."""
        self._requests.end(request, Wanted.BARS)

    def securityDefinitionOptionParameter(
        self,
        request: int,
        exchange: str,
        _underlying: str,
        trading_class: str,
        multiplier: str,
        expirations: list[str],
        strikes: list[float],
    ) -> None:
        """One option class at one exchange."""
        exact(multiplier)
        self._requests.add(request, Wanted.OPTION_CLASSES, (exchange, trading_class, multiplier, expirations, strikes))

    def securityDefinitionOptionParameterEnd(self, request: int) -> None:
        """That were all classes."""
        self._requests.end(request, Wanted.OPTION_CLASSES)

    def accountSummary(self, request: int, account: str, tag: str, value: str, currency: str) -> None:
        """One value of one account."""
        self._requests.add(request, Wanted.ACCOUNT_VALUES, (account, tag, value, currency))

    def accountSummaryEnd(self, request: int) -> None:
        """That were all values."""
        self._requests.end(request, Wanted.ACCOUNT_VALUES)

    def position(self, account: str, contract: Contract, quantity: float, average_cost: float) -> None:
        """A holding, at the start and whenever it changes."""
        exact(contract.multiplier)
        self._positions.on_position(account, contract, quantity, average_cost)

    def positionEnd(self) -> None:
        """That were all holdings."""
        self._requests.end(Wanted.POSITIONS, Wanted.POSITIONS)

    def pnlSingle(
        self, request: int, _quantity: float, daily: float, unrealized: float, realized: float, value: float
    ) -> None:
        """One holding's profit."""
        self._positions.on_pnl(request, daily, unrealized, realized, value)

    def pnl(self, request: int, daily: float, unrealized: float, realized: float) -> None:
        """One account's profit."""
        self._positions.on_account_pnl(request, daily, unrealized, realized)

    def openOrder(self, _order_id: int, contract: Contract, order: Order, state: OrderState) -> None:
        """An order that is alive, or a change of one."""
        self._orders.on_open_order(contract, order, state)

    def openOrderEnd(self) -> None:
        """That were all open orders."""
        self._requests.end(Wanted.OPEN_ORDERS, Wanted.OPEN_ORDERS)

    def orderStatus(
        self,
        order_id: int,
        status: str,
        filled: float,
        remaining: float,
        average: float,
        perm_id: int,
        _parent_id: int,
        _last_price: float,
        client_id: int,
        _why_held: str,
        _cap_price: float = 0.0,
    ) -> None:
        """Where an order stands."""
        self._orders.on_status(order_id, status, filled, remaining, average, perm_id, client_id)

    def execDetails(self, request: int, contract: Contract, execution: Execution) -> None:
        """A fill, live (request -1) or as an answer."""
        self._orders.on_execution(contract, execution)
        self._requests.add(request, Wanted.EXECUTIONS, execution)

    def execDetailsEnd(self, request: int) -> None:
        """That were all fills of today."""
        self._requests.end(request, Wanted.EXECUTIONS)

    def commissionReport(self, report: CommissionReport) -> None:
        """What a fill cost."""
        self._orders.on_commission(report)

    def completedOrder(self, contract: Contract, order: Order, state: OrderState) -> None:
        """An order of today that is done."""
        self._orders.on_completed(contract, order, state)

    def completedOrdersEnd(self) -> None:
        """That were all completed orders."""
        self._requests.end(Wanted.COMPLETED_ORDERS, Wanted.COMPLETED_ORDERS)

    def priceSizeTick(self, request: int, tick: int, price: float, size: float) -> None:
        """A price of a market data line."""
        self._quotes.on_price(request, tick, price, size)

    def tickSize(self, request: int, tick: int, size: float) -> None:
        """A size of a market data line."""
        self._quotes.on_size(request, tick, size)

    def tickString(self, request: int, tick: int, text: str) -> None:
        """A word about a market data line: the last trade's time among them."""
        if tick in LAST_TRADE_TICKS:
            self._quotes.on_last_trade(request, text)

    def tickOptionComputation(
        self,
        request: int,
        tick: int,
        _attribute: int,
        volatility: float,
        delta: float,
        _price: float,
        _dividend: float,
        gamma: float,
        vega: float,
        theta: float,
        underlying: float,
    ) -> None:
        """What an option's price implies; of the four computations the model's is the one that is always there."""
        if tick in MODEL_TICKS:
            self._quotes.on_greeks(request, volatility, delta, gamma, vega, theta, underlying)

    def marketDataType(self, request: int, kind: int) -> None:
        """Which kind of data a line carries from now on."""
        self._quotes.on_data_kind(request, kind)
