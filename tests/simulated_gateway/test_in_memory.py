"""A client on a pair of streams, without a socket and on a clock that stands still."""

from __future__ import annotations

import asyncio

from simulated_gateway import GatewayConfig, Limits, ManualClock, SimulatedGateway
from simulated_gateway.wire.framing import encode_frame, read_payload

from .conftest import TRADING_HOURS


class MemorySink:
    """Hands what the gateway writes to a reader."""

    def __init__(self, to_gateway: asyncio.StreamReader) -> None:
        self.reader = asyncio.StreamReader()
        self._to_gateway = to_gateway
        self.unread = 0
        self.takes_everything = True

    def write(self, data: bytes) -> None:
        self.reader.feed_data(data)
        self.unread += len(data)

    def waiting(self) -> int:
        return 0 if self.takes_everything else self.unread

    def close(self) -> None:
        self.reader.feed_eof()
        self._to_gateway.feed_eof()

    def abort(self) -> None:
        self.close()


async def test_a_session_needs_no_socket() -> None:
    gateway = SimulatedGateway(GatewayConfig(), ManualClock(TRADING_HOURS))
    gateway.begin()
    to_gateway = asyncio.StreamReader()
    sink = MemorySink(to_gateway)
    serving = asyncio.create_task(gateway.serve(to_gateway, sink))
    to_gateway.feed_data(b"API\0\0\0\0\x09v157..178" + encode_frame((71, 2, 1, "")) + encode_frame((49, 1)))
    async with asyncio.timeout(3):
        while (payload := await read_payload(sink.reader)) is not None:
            if payload.startswith(b"49\0"):
                break
    assert payload == b"49\x001\x001763568000\0"
    await gateway.close()
    await asyncio.wait_for(serving, 3)


async def test_a_restart_needs_no_socket_either() -> None:
    clock = ManualClock(TRADING_HOURS)
    gateway = SimulatedGateway(GatewayConfig(), clock)
    gateway.begin()
    assert gateway.accepts
    gateway.control.restart(1)
    assert not gateway.accepts
    await asyncio.sleep(0)
    clock.advance(1)
    async with asyncio.timeout(3):
        while not gateway.accepts:  # noqa: ASYNC110 - the door tells nobody
            await asyncio.sleep(0)
    assert gateway.port == 0
    await gateway.close()


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    gateway = SimulatedGateway(GatewayConfig(limits=Limits(unread_bytes=3_000)), ManualClock(TRADING_HOURS))
    to_gateway = asyncio.StreamReader()
    sink = MemorySink(to_gateway)
    sink.takes_everything = False
    to_gateway.feed_data(b"API\0\0\0\0\x09v157..178" + encode_frame((71, 2, 1, "")))
    to_gateway.feed_data(encode_frame((6, 2, 1, "")))
    await asyncio.wait_for(gateway.serve(to_gateway, sink), 3)
    assert sink.unread > 3_000
    assert gateway.control.connections() == []
    await gateway.close()
