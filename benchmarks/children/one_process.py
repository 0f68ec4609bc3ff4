"""What most servers of this kind are: FastMCP and ib_async in one process, the tool calling the library.

On what these two bring along: uvicorn with h11 and asyncio's own loop, whatever else is installed here.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from fastmcp import FastMCP
from ib_async import IB, LimitOrder, Stock

PATIENCE = 5.0


async def main(gateway_port: str, port: str) -> None:
    ib: Any = IB()
    await ib.connectAsync("127.0.0.1", int(gateway_port), clientId=77)
    server: FastMCP[Any] = FastMCP("one process")

    @server.tool
    async def get_positions() -> dict[str, Any]:
        """Every position."""
        items = [
            {
                "account": one.account,
                "symbol": one.contract.symbol,
                "sec_type": one.contract.secType,
                "currency": one.contract.currency,
                "con_id": one.contract.conId,
                "quantity": one.position,
                "avg_cost": one.avgCost,
            }
            for one in ib.positions()
        ]
        return {"items": items, "count": len(items)}

    @server.tool
    async def place_limit_order(symbol: str, action: str, quantity: float, limit_price: float) -> dict[str, Any]:
        """Place an order and answer when it is acknowledged."""
        (contract,) = await ib.qualifyContractsAsync(Stock(symbol, "SMART", "USD"))
        trade = ib.placeOrder(contract, LimitOrder(action, quantity, limit_price))
        async with asyncio.timeout(PATIENCE):
            while trade.orderStatus.status in {"", "PendingSubmit"}:
                await trade.statusEvent
        return {
            "order_id": trade.order.orderId,
            "perm_id": trade.orderStatus.permId,
            "status": trade.orderStatus.status,
            "filled": trade.orderStatus.filled,
            "remaining": trade.orderStatus.remaining,
        }

    await server.run_http_async(
        host="127.0.0.1",
        port=int(port),
        stateless_http=True,
        show_banner=False,
        log_level="error",
        uvicorn_config={"http": "h11"},
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
