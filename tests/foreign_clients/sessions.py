"""A foreign client's session: its program runs beside a gateway of its own, and both sides' stories are kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from simulated_gateway import GatewayConfig, ManualClock, SimulatedGateway
from simulated_gateway.config import HIGHEST_VERSION
from simulated_gateway.control_views import OrderView, PositionView
from simulated_gateway.trading.ledger import LedgerEntry

from .installing import node_with, python_with

HERE = Path(__file__).parent
PATIENCE = 30
#: Wednesday, 11:00 in New York.
TRADING_HOURS = datetime(2025, 11, 19, 16, 0, tzinfo=UTC)


@dataclass(frozen=True)
class ForeignClient:
    """A client nobody here wrote."""

    name: str
    #: Installs what the program needs, and answers what runs it.
    interpreter: Callable[[], Path]
    program: str
    #: What this client and a gateway that offers so much agree on.
    agrees_on: int
    offered: int = HIGHEST_VERSION

    def __str__(self) -> str:
        return f"{self.name}-{self.agrees_on}"


def _python(name: str, program: str, agrees_on: int, offered: int = HIGHEST_VERSION) -> ForeignClient:
    return ForeignClient(name, lambda: python_with(name), program, agrees_on, offered)


def _stoqey(version: int) -> ForeignClient:
    return ForeignClient("stoqey_ib", lambda: node_with(HERE), "stoqey_ib_session.mjs", version, version)


_IBAPI, _IB_INSYNC = "ibapi_session.py", "ib_insync_session.py"

#: Each side of every version that changed a layout. npm's client misreads completed orders below 177 (it looks for the
#: layout of a version that it takes from nowhere), so the others speak the older versions.
CLIENTS = (
    _python("ibapi_old", _IBAPI, 157),
    _python("ibapi_new", _IBAPI, 163, 163),
    _python("ib_insync", _IB_INSYNC, 164, 164),
    _python("ibapi_new", _IBAPI, 165, 165),
    _python("ibapi_new", _IBAPI, 169, 169),
    _python("ib_insync", _IB_INSYNC, 176),
    _stoqey(177),
    _python("ibapi_new", _IBAPI, 178),
    _stoqey(178),
)


@dataclass(frozen=True)
class Session:
    """What the client told, and what the gateway saw of it."""

    told: dict[str, Any]
    orders: dict[str, OrderView]
    ledger: list[LedgerEntry]
    positions: list[PositionView]


@cache
def session_of(client: ForeignClient) -> Session:
    """The session of a client, held once."""
    interpreter = client.interpreter()
    return asyncio.run(_hold(client, interpreter))


def gateway_for(client: ForeignClient) -> SimulatedGateway:
    """A gateway that offers what the client shall speak, at a quiet moment."""
    config = GatewayConfig(control_port=0, beat_seconds=0.02, market_moves=False, server_version=client.offered)
    return SimulatedGateway(config, ManualClock(TRADING_HOURS, running=True))


async def tell(client: ForeignClient, interpreter: Path, port: int, control_port: int | None) -> dict[str, Any]:
    """What the client's program says of its session at a port."""
    process = await asyncio.create_subprocess_exec(
        *(str(interpreter), str(HERE / client.program), str(port), str(control_port)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            told, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaint.decode()
    return dict(json.loads(told))


async def _hold(client: ForeignClient, interpreter: Path) -> Session:
    async with gateway_for(client) as gateway:
        positions = gateway.control.positions()
        told = await tell(client, interpreter, gateway.port, gateway.control_port)
        orders = {order.order_ref: order for order in gateway.control.orders()}
        return Session(told, orders, gateway.control.ledger(), positions)
