"""One session of IBKR's own Python client with the gateway, told as JSON; the oldest and the newest build alike.

Runs in an environment of its own, without ours.
"""

import json
import sys
import threading
import time
from collections import defaultdict
from typing import Any

from gateway_levers import move_price  # type: ignore[import-not-found]
from ibapi.client import EClient  # type: ignore[import-not-found]
from ibapi.contract import Contract  # type: ignore[import-not-found]
from ibapi.execution import ExecutionFilter  # type: ignore[import-not-found]
from ibapi.order import Order  # type: ignore[import-not-found]
from ibapi.wrapper import EWrapper  # type: ignore[import-not-found]

AAPL = 265598
PATIENCE = 5
BID, ASK, LAST, CLOSE = 1, 2, 4, 9

Told = dict[str, Any]


class Session(EWrapper, EClient):  # type: ignore[misc]
    """Keeps what arrives, by callback: the last value of each key, or all of them."""

    def __init__(self) -> None:
        EClient.__init__(self, self)
        self.heard: dict[str, list[tuple[Any, ...]]] = defaultdict(list)

    def __getattribute__(self, name: str) -> Any:
        """Every callback is recorded with its arguments, whatever a build's signature of it is."""
        if name in EWrapper.__dict__ and not name.startswith("_") and name != "logAnswer":
            return lambda *arguments, **named: self.heard[name].append((*arguments, *named.values()))
        return super().__getattribute__(name)

    def wait(self, name: str, fits: Any = lambda *_: True, count: int = 1) -> list[tuple[Any, ...]]:
        """The first callbacks of this name that fit, once there are so many."""
        patience = time.monotonic() + PATIENCE
        while True:
            found = [one for one in list(self.heard[name]) if fits(*one)]
            if len(found) >= count:
                return found
            if time.monotonic() > patience:
                message = f"no {name}; heard: {dict(self.heard).get('error')}"
                raise TimeoutError(message)
            time.sleep(0.01)

    def tick(self, req_id: int, kind: int) -> float | None:
        """The newest price of a kind."""
        prices: list[float] = [one[2] for one in list(self.heard["tickPrice"]) if one[:2] == (req_id, kind)]
        return prices[-1] if prices else None


def stock(symbol: str = "AAPL", currency: str = "USD", con_id: int = 0) -> Any:
    """A stock, as vaguely as asked."""
    contract = Contract()
    contract.conId, contract.symbol, contract.secType = con_id, symbol, "STK"
    contract.exchange, contract.currency = "SMART", currency
    return contract


def order(kind: str, action: str, quantity: int, ref: str, **prices: float) -> Any:
    """An order that says everything the gateway would otherwise preset."""
    made = Order()
    made.orderType, made.action, made.totalQuantity, made.tif, made.orderRef = kind, action, quantity, "DAY", ref
    made.eTradeOnly = made.firmQuoteOnly = False
    for name, price in prices.items():
        setattr(made, name, price)
    return made


def main(port: int, control_port: int) -> Told:
    """Look, then trade."""
    session = Session()
    session.connect("127.0.0.1", port, 22)
    reading = threading.Thread(target=session.run, daemon=True)
    reading.start()
    try:
        [(next_id,)] = session.wait("nextValidId")
        told = {"server_version": session.serverVersion(), **account(session), **contracts(session)}
        told |= {**market(session, control_port), **orders(session, next_id)}
    finally:
        session.disconnect()
    reading.join(PATIENCE)
    return {**told, "errors": [said(*one) for one in session.heard["error"]]}


def said(*error: Any) -> list[Any]:
    """The code and text of an error: builds differ in what stands around them."""
    place = next(place for place, part in enumerate(error) if isinstance(part, str))
    return [error[place - 1], error[place]]


def account(session: Session) -> Told:
    """Values, portfolio and positions."""
    [(accounts,)] = session.wait("managedAccounts")
    session.reqAccountUpdates(True, "")
    session.reqPositions()
    session.wait("accountDownloadEnd")
    session.wait("positionEnd")
    return {
        "accounts": [one for one in accounts.split(",") if one],
        "values": [[who, tag, value, currency] for tag, value, currency, who in session.heard["updateAccountValue"]],
        "portfolio": {one[0].conId: [float(one[1]), one[2]] for one in session.heard["updatePortfolio"]},
        "positions": {one[1].conId: [float(one[2]), one[3]] for one in session.heard["position"]},
    }


def contracts(session: Session) -> Told:
    """Described, ambiguous, unknown, searched, and an underlying's options."""
    session.reqContractDetails(1, stock())
    session.reqContractDetails(2, stock("SHOP", currency=""))
    session.reqContractDetails(3, stock("NOSUCH"))
    session.reqMatchingSymbols(4, "AAP")
    session.reqSecDefOptParams(5, "AAPL", "", "STK", AAPL)
    session.wait("contractDetailsEnd", count=2)
    session.wait("error", lambda req_id, *_: req_id == 3)
    session.wait("securityDefinitionOptionParameterEnd")
    [(_, samples)] = session.wait("symbolSamples")
    described = {
        number: [one[1] for one in session.heard["contractDetails"] if one[0] == number] for number in (1, 2, 3)
    }
    [unique] = described[1]
    return {
        "unique": [unique.contract.conId, unique.contract.primaryExchange, unique.longName, unique.minTick],
        "ambiguous": [one.contract.conId for one in described[2]],
        "unknown": [one.contract.conId for one in described[3]],
        "matching": [[one.contract.conId, one.contract.symbol] for one in samples],
        "chains": [
            [exchange, trading_class, multiplier, sorted(expirations), sorted(strikes)]
            for _, exchange, _, trading_class, multiplier, expirations, strikes in session.heard[
                "securityDefinitionOptionParameter"
            ]
        ],
    }


def market(session: Session, control_port: int) -> Told:
    """A snapshot, a stream that follows the market, and bars."""
    aapl = stock(con_id=AAPL)
    session.reqMktData(11, aapl, "", True, False, [])
    session.wait("tickSnapshotEnd")
    told: Told = {"snapshot": [session.tick(11, kind) for kind in (BID, ASK, LAST, CLOSE)]}
    session.reqMktData(12, aapl, "", False, False, [])
    move_price(control_port, AAPL, "201.5")
    session.wait("tickPrice", lambda req_id, kind, price, *_: (req_id, kind, price) == (12, LAST, 201.5))
    told["stream"] = [session.tick(12, kind) for kind in (BID, ASK, LAST)]
    session.cancelMktData(12)
    for number, (name, duration, size) in enumerate((("hours", "1 D", "1 hour"), ("days", "5 D", "1 day")), 13):
        session.reqHistoricalData(number, aapl, "", duration, size, "TRADES", 1, 1, False, [])
        session.wait("historicalDataEnd", lambda req_id, *_, wanted=number: req_id == wanted)
        bars = [bar for req_id, bar in session.heard["historicalData"] if req_id == number]
        told[name] = [[bar.date, bar.open, bar.high, bar.low, bar.close, float(bar.volume)] for bar in bars]
    return told


def orders(session: Session, next_id: int) -> Told:
    """A limit order placed, modified and cancelled, one at the market, a stop that rests; and how they are listed."""
    aapl = stock(con_id=AAPL)
    limit, at_market, stop = range(next_id, next_id + 3)
    resting = order("LMT", "BUY", 5, "foreign-limit", lmtPrice=100)
    session.placeOrder(limit, aapl, resting)
    status_of(session, limit, "Submitted")
    resting.lmtPrice = 101.25
    session.placeOrder(limit, aapl, resting)
    session.wait("openOrder", lambda number, _, echo, __: (number, echo.lmtPrice) == (limit, 101.25))
    cancel(session, limit)
    status_of(session, limit, "Cancelled")
    session.placeOrder(at_market, aapl, order("MKT", "BUY", 3, "foreign-market"))
    status_of(session, at_market, "Filled")
    session.placeOrder(stop, aapl, order("STP", "SELL", 2, "foreign-stop", auxPrice=90))
    status_of(session, stop, "PreSubmitted")
    session.heard["openOrder"].clear()
    session.reqAllOpenOrders()
    session.reqCompletedOrders(False)
    session.heard["execDetails"].clear()
    session.reqExecutions(21, ExecutionFilter())
    for end in ("openOrderEnd", "completedOrdersEnd", "execDetailsEnd"):
        session.wait(end)
    return {
        "placed": {
            ref: status_of(session, number)
            for ref, number in (("foreign-limit", limit), ("foreign-market", at_market), ("foreign-stop", stop))
        },
        "open": [[one[2].orderRef, one[2].auxPrice] for one in session.heard["openOrder"]],
        "completed": [[one[1].orderRef, one[2].status] for one in session.heard["completedOrder"]],
        "executions": executions(session),
    }


def status_of(session: Session, number: int, status: str = "") -> list[Any]:
    """An order's newest status, permanent id and average price; waits for the status if one is named."""
    if status:
        session.wait("orderStatus", lambda order_id, word, *_: (order_id, word) == (number, status))
    newest = [one for one in session.heard["orderStatus"] if one[0] == number][-1]
    return [newest[1], newest[5], newest[4]]


def cancel(session: Session, number: int) -> None:
    """Newer builds want an object beside the number."""
    try:
        from ibapi.order_cancel import OrderCancel  # type: ignore[import-not-found]
    except ImportError:
        session.cancelOrder(number)
    else:
        session.cancelOrder(number, OrderCancel())


def executions(session: Session) -> list[list[Any]]:
    """What filled, with its commission, which newer builds call commission and fees."""
    name, field = ("commissionReport", "commission")
    if "commissionAndFeesReport" in EWrapper.__dict__:
        name, field = ("commissionAndFeesReport", "commissionAndFees")
    reports = {one.execId: one for (one,) in session.wait(name)}
    return [
        [one.orderRef, float(one.shares), one.price, getattr(reports[one.execId], field), reports[one.execId].currency]
        for _, _, one in session.heard["execDetails"]
    ]


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
