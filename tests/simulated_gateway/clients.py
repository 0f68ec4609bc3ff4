"""Clients for tests: unmodified ib_async, and one that speaks raw frames."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

from ib_async import IB, Contract, Order, Stock, Trade

from simulated_gateway import SimulatedGateway

QUICK_BEAT = 0.02
PATIENCE = 10.0
AAPL = 265598
MSFT = 272093


@asynccontextmanager
async def connected(
    gateway: SimulatedGateway, client_id: int = 1, *, highest_version: int = 178, readonly: bool = False
) -> AsyncIterator[IB]:
    """An ib_async client with a synchronised session."""
    ib = IB()
    ib.RaiseRequestErrors = True
    ib.client.MaxClientVersion = highest_version
    await ib.connectAsync(
        "127.0.0.1", gateway.port, clientId=client_id, raiseSyncErrors=not readonly, readonly=readonly
    )
    try:
        yield ib
    finally:
        ib.disconnect()


async def until(ib: IB, happened: Callable[[], bool]) -> None:
    """Return when something is so; looked at whenever a message has arrived."""
    async with asyncio.timeout(PATIENCE):
        while not happened():
            await ib.updateEvent


async def settled(ib: IB, trade: Trade, *statuses: str) -> Trade:
    """Return when an order has one of these statuses."""
    await until(ib, lambda: trade.orderStatus.status in statuses)
    return trade


def errors_of(ib: IB) -> list[tuple[int, int, str]]:
    """From now on filled with every error: request id, code, text."""
    found: list[tuple[int, int, str]] = []

    def note(req_id: int, code: int, text: str, _contract: Contract | None) -> None:
        found.append((req_id, code, text))

    ib.errorEvent += note
    return found


def calls(ib: IB) -> Any:
    """The library's own low-level client, most of which has no types."""
    return ib.client


def aapl() -> Contract:
    return Stock("AAPL", "SMART", "USD", conId=AAPL)


def limit(action: str, quantity: float, price: float, **fields: object) -> Order:
    """A limit order that says everything the gateway would otherwise preset."""
    return _order("LMT", action, quantity, {"lmtPrice": price, **fields})


def market(action: str, quantity: float, **fields: object) -> Order:
    return _order("MKT", action, quantity, fields)


def stop(action: str, quantity: float, price: float, **fields: object) -> Order:
    return _order("STP", action, quantity, {"auxPrice": price, **fields})


def _order(kind: str, action: str, quantity: float, fields: dict[str, object]) -> Order:
    order = Order(orderType=kind, action=action, totalQuantity=quantity, tif="DAY")
    for name, value in fields.items():
        setattr(order, name, value)
    return order


class RawClient:
    """Sends and reads frames field by field."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.version = 0
        self._unread: deque[list[str]] = deque()

    @classmethod
    async def connect(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def started(cls, port: int, version: int = 178, client_id: int = 9) -> Self:
        """A client whose session has begun; everything up to the last farm notice is read."""
        client = await cls.connect(port)
        await client.shake_hands(f"v{version}..{version}")
        client.send(71, 2, client_id, "")
        while (await client.message(4))[3] != "2158":
            pass
        return client

    async def shake_hands(self, versions: str) -> list[str]:
        payload = versions.encode()
        self.write(b"API\0" + struct.pack(">I", len(payload)) + payload)
        hello = await self.frame()
        self.version = int(hello[0])
        return hello

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def send(self, *fields: object) -> None:
        payload = b"".join(str(field).encode() + b"\0" for field in fields)
        self.write(struct.pack(">I", len(payload)) + payload)

    async def frame(self) -> list[str]:
        async with asyncio.timeout(PATIENCE):
            (length,) = struct.unpack(">I", await self._reader.readexactly(4))
            payload = await self._reader.readexactly(length)
        assert payload.endswith(b"\0")
        return payload.decode().split("\0")[:-1]

    async def message(self, message_id: int) -> list[str]:
        """The next message of this kind; others are dropped."""
        while (fields := await self.frame())[0] != str(message_id):
            pass
        return fields

    async def at_end(self) -> bool:
        """Whether the gateway closes the connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                while await self._reader.read(65536):
                    pass
            except ConnectionError:
                return True
        return True

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return


@asynccontextmanager
async def raw(gateway: SimulatedGateway, version: int = 178, client_id: int = 9) -> AsyncIterator[RawClient]:
    client = await RawClient.started(gateway.port, version, client_id)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def unstarted(gateway: SimulatedGateway) -> AsyncIterator[RawClient]:
    client = await RawClient.connect(gateway.port)
    try:
        yield client
    finally:
        await client.close()
