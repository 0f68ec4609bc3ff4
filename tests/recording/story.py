"""One small session with a gateway, told the same whether the gateway is there or only its recording."""

from __future__ import annotations

from typing import Any

from ib_async import IB

from tests.simulated_gateway.clients import aapl, limit, market, settled, until


async def story(ib: IB) -> dict[str, Any]:
    """Look, then trade: what an agent would be told of it."""
    [account, *_] = ib.managedAccounts()
    [details] = await ib.reqContractDetailsAsync(aapl())
    ticker = ib.reqMktData(aapl())
    await until(ib, lambda: ticker.bid > 0 and ticker.ask > 0)
    ib.cancelMktData(aapl())
    bars = await ib.reqHistoricalDataAsync(aapl(), "", "1 D", "1 hour", "TRADES", useRTH=True)
    resting = ib.placeOrder(aapl(), limit("BUY", 5, 100, orderRef="alice-1", account=account))
    await settled(ib, resting, "Submitted")
    ib.cancelOrder(resting.order)
    await settled(ib, resting, "Cancelled")
    filled = ib.placeOrder(aapl(), market("BUY", 2, orderRef="alice-2", account=account))
    await settled(ib, filled, "Filled")
    return {
        "name": details.longName,
        "bid": ticker.bid,
        "bars": [bar.close for bar in bars],
        "resting": (resting.order.orderRef, resting.log[-1].errorCode),
        "filled": (filled.order.orderRef, filled.orderStatus.avgFillPrice),
        "held": sorted(one.contract.symbol for one in ib.positions(account)),
        "executions": [one.execution.shares for one in await ib.reqExecutionsAsync()],
        "completed": sorted(
            (one.order.orderRef, one.orderStatus.status) for one in await ib.reqCompletedOrdersAsync(apiOnly=False)
        ),
        "permIds": sorted(one.order.permId for one in ib.trades()),
        "accounts": ib.managedAccounts(),
    }
