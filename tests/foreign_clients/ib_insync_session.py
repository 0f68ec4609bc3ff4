"""One session of ib_insync with the gateway, told as JSON. Runs in an environment of its own, without ours."""

import json
import sys
import time
from typing import Any

from gateway_levers import move_price  # type: ignore[import-not-found]
from ib_insync import IB, Contract, LimitOrder, MarketOrder, Stock, StopOrder  # type: ignore[import-not-found]

AAPL = 265598
PATIENCE = 5


def main(port: int, control_port: int) -> dict[str, Any]:
    """Look, then trade."""
    ib = IB()
    ib.RequestTimeout = PATIENCE
    complaints: list[list[Any]] = []
    ib.errorEvent += lambda req_id, code, text, contract: complaints.append([code, text])
    ib.connect("127.0.0.1", port, clientId=21, timeout=PATIENCE)
    try:
        told = {"server_version": ib.client.serverVersion(), **account(ib), **contracts(ib), **market(ib, control_port)}
        return {**told, **orders(ib), "errors": complaints}
    finally:
        ib.disconnect()


def account(ib: Any) -> dict[str, Any]:
    """What connecting alone brings."""
    return {
        "accounts": ib.managedAccounts(),
        "values": [[one.account, one.tag, one.value, one.currency] for one in ib.accountValues()],
        "portfolio": {one.contract.conId: [one.position, one.marketPrice] for one in ib.portfolio()},
        "positions": {one.contract.conId: [one.position, one.avgCost] for one in ib.positions()},
    }


def contracts(ib: Any) -> dict[str, Any]:
    """Described, ambiguous, unknown, searched, and an underlying's options."""
    [unique] = ib.reqContractDetails(Stock("AAPL", "SMART", "USD"))
    chains = ib.reqSecDefOptParams("AAPL", "", "STK", AAPL)
    return {
        "unique": [unique.contract.conId, unique.contract.primaryExchange, unique.longName, unique.minTick],
        "ambiguous": [one.contract.conId for one in ib.reqContractDetails(Contract(symbol="SHOP", secType="STK"))],
        "unknown": [one.contract.conId for one in ib.reqContractDetails(Stock("NOSUCH", "SMART", "USD"))],
        "matching": [[one.contract.conId, one.contract.symbol] for one in ib.reqMatchingSymbols("AAP")],
        "chains": [
            [one.exchange, one.tradingClass, one.multiplier, sorted(one.expirations), sorted(one.strikes)]
            for one in chains
        ],
    }


def market(ib: Any, control_port: int) -> dict[str, Any]:
    """A snapshot, a stream that follows the market, and bars."""
    stock = Stock("AAPL", "SMART", "USD", conId=AAPL)
    [snapshot] = ib.reqTickers(stock)
    told: dict[str, Any] = {"snapshot": [snapshot.bid, snapshot.ask, snapshot.last, snapshot.close]}
    ticker = ib.reqMktData(stock)
    move_price(control_port, AAPL, "201.5")
    wait(ib, lambda: ticker.bid == 201.5)
    told["stream"] = [ticker.bid, ticker.ask, ticker.last]
    ib.cancelMktData(stock)
    for name, duration, size in (("hours", "1 D", "1 hour"), ("days", "5 D", "1 day")):
        bars = ib.reqHistoricalData(stock, "", duration, size, "TRADES", True)
        told[name] = [[str(bar.date), bar.open, bar.high, bar.low, bar.close, bar.volume] for bar in bars]
    return told


def orders(ib: Any) -> dict[str, Any]:
    """A limit order placed, modified and cancelled, one at the market, a stop that rests; and how they are listed."""
    stock = Stock("AAPL", "SMART", "USD", conId=AAPL)
    limit = ib.placeOrder(stock, LimitOrder("BUY", 5, 100, tif="DAY", orderRef="foreign-limit"))
    wait(ib, lambda: limit.orderStatus.status == "Submitted")
    echoed: list[float] = []
    ib.openOrderEvent += lambda trade: echoed.append(trade.order.lmtPrice)
    limit.order.lmtPrice = 101.25
    ib.placeOrder(stock, limit.order)
    wait(ib, lambda: echoed == [101.25])
    ib.cancelOrder(limit.order)
    wait(ib, lambda: limit.orderStatus.status == "Cancelled")
    at_market = ib.placeOrder(stock, MarketOrder("BUY", 3, tif="DAY", orderRef="foreign-market"))
    wait(ib, lambda: at_market.orderStatus.status == "Filled" and at_market.fills[0].commissionReport.commission)
    stop = ib.placeOrder(stock, StopOrder("SELL", 2, 90, tif="DAY", orderRef="foreign-stop"))
    wait(ib, lambda: stop.orderStatus.status == "PreSubmitted")
    ib.reqAllOpenOrders()
    ib.reqExecutions()
    fills = ib.fills()  # the library fills in commissions here only
    return {
        "placed": {
            one.order.orderRef: [one.orderStatus.status, one.order.permId, one.orderStatus.avgFillPrice]
            for one in (limit, at_market, stop)
        },
        "open": [[one.order.orderRef, one.order.auxPrice] for one in ib.openTrades()],
        "completed": [[one.order.orderRef, one.orderStatus.status] for one in ib.reqCompletedOrders(apiOnly=False)],
        "executions": [
            [
                one.execution.orderRef,
                one.execution.shares,
                one.execution.price,
                one.commissionReport.commission,
                one.commissionReport.currency,
            ]
            for one in fills
        ],
    }


def wait(ib: Any, happened: Any) -> None:
    """Return when something is so. Looked at again and again: the library's own waiting can miss an update."""
    patience = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > patience:
            message = "it did not happen"
            raise TimeoutError(message)
        ib.sleep(0.01)


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
