from __future__ import annotations

from simulated_gateway import GatewayConfig, Limits, ManualClock, SimulatedGateway

from .clients import raw
from .conftest import TRADING_HOURS


async def test_a_second_above_the_rate_is_a_strike_and_the_client_goes_on(clock: ManualClock) -> None:
    config = GatewayConfig(limits=Limits(messages_per_second=10, message_strikes=3))
    async with SimulatedGateway(config, clock) as gateway, raw(gateway) as client:
        for _ in range(11):
            client.send(14, 1, 1)
        error = await client.message(4)
        assert error[2:4] == ["-1", "100"]
        assert "max=10 rec=11 (1)" in error[4]
        client.send(49, 1)
        assert (await client.frame())[0] == "49"
        assert gateway.control.counters().violations[100] == 1


async def test_sustained_excess_closes_the_socket() -> None:
    clock = ManualClock(TRADING_HOURS)
    config = GatewayConfig(limits=Limits(messages_per_second=10, message_strikes=3), beat_seconds=100)
    async with SimulatedGateway(config, clock) as gateway, raw(gateway) as client:
        for _ in range(2):
            for _ in range(11):
                client.send(14, 1, 1)
            assert (await client.message(4))[3] == "100"
            clock.advance(1)
        for _ in range(11):
            client.send(14, 1, 1)
        assert (await client.message(4))[3] == "100"
        assert await client.at_end()
        assert gateway.control.connections() == []


async def test_the_full_rate_is_no_strike() -> None:
    clock = ManualClock(TRADING_HOURS)
    async with SimulatedGateway(GatewayConfig(beat_seconds=100), clock) as gateway, raw(gateway) as client:
        for _ in range(3):
            for _ in range(49):
                client.send(14, 1, 1)
            client.send(49, 1)
            assert (await client.frame())[0] == "49"
            clock.advance(1)
        counters = gateway.control.counters()
        assert counters.violations == {}
        assert counters.most_messages_per_second == 50
        assert counters.received["setServerLogLevel"] == 147
