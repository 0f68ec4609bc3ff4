"""What most servers of this kind are: FastMCP and ib_async in one process, the tool calling the library."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from fastmcp import FastMCP
from ib_async import IB


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

    await server.run_http_async(
        host="127.0.0.1", port=int(port), stateless_http=True, show_banner=False, log_level="error"
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
