"""The API's own read-only mode, as clients meet it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from simulated_gateway import GatewayConfig, ManualClock, SimulatedGateway

from .clients import QUICK_BEAT, aapl, calls, connected, errors_of, limit, raw, until


@pytest.fixture
async def read_only(clock: ManualClock) -> AsyncIterator[SimulatedGateway]:
    config = GatewayConfig(read_only=True, beat_seconds=QUICK_BEAT, market_moves=False)
    async with SimulatedGateway(config, clock) as opened:
        yield opened


async def test_orders_and_cancels_are_refused_and_written_down(read_only: SimulatedGateway) -> None:
    async with connected(read_only, readonly=True) as ib:
        errors = errors_of(ib)
        trade = ib.placeOrder(aapl(), limit("BUY", 1, 150))
        calls(ib).cancelOrder(trade.order.orderId)
        calls(ib).reqGlobalCancel()
        await until(ib, lambda: len(errors) == 3)
        assert {code for _, code, _ in errors} == {321}
        assert "Read-Only" in errors[0][2]
        assert read_only.control.orders() == []
        assert [entry.kind for entry in read_only.control.ledger()] == ["place", "cancel", "global cancel"]


async def test_the_clients_own_open_orders_are_refused_and_those_of_all_clients_answered(
    read_only: SimulatedGateway,
) -> None:
    async with raw(read_only) as client:
        client.send(5, 1)
        assert (await client.message(4))[2:4] == ["-1", "321"]
        client.send(16, 1)
        assert await client.message(53) == ["53", "1"]


async def test_completed_orders_are_never_answered(read_only: SimulatedGateway) -> None:
    async with raw(read_only) as client:
        client.send(99, 0)
        client.send(49, 1)
        assert (await client.frame())[0] == "49"


async def test_questions_are_answered(read_only: SimulatedGateway) -> None:
    async with connected(read_only, readonly=True) as ib:
        async with asyncio.timeout(3):
            assert await ib.reqContractDetailsAsync(aapl())
            assert await ib.reqTickersAsync(aapl())
            assert ib.positions()
