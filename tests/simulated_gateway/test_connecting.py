from __future__ import annotations

import asyncio

import pytest
from ib_async import IB

from simulated_gateway import GatewayConfig, Limits, ManualClock, SimulatedGateway

from .clients import aapl, connected, errors_of, limit, raw, settled, unstarted


async def test_an_unmodified_client_connects_and_synchronises(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        assert ib.client.serverVersion() == 178
        assert ib.managedAccounts() == ["DU1234567"]
        assert {position.contract.symbol for position in ib.positions()} == {"AAPL", "MSFT", "SAP", "TSLA"}
        assert {item.contract.symbol for item in ib.portfolio()} == {"AAPL", "MSFT", "SAP", "TSLA"}


@pytest.mark.parametrize("highest", [157, 158, 163, 164, 165, 166, 169, 170, 174, 175, 176, 177, 178, 193])
async def test_the_lower_of_both_highest_versions_is_spoken(gateway: SimulatedGateway, highest: int) -> None:
    async with unstarted(gateway) as client:
        hello = await client.shake_hands(f"v100..{highest} +PACEAPI")
        assert hello[0] == str(min(highest, 178))
        assert hello[1] == "20251119 11:00:00 EST"


async def test_a_client_too_old_is_let_go_without_harm(gateway: SimulatedGateway) -> None:
    async with unstarted(gateway) as client:
        client.write(b"API\0\0\0\0\x09v100..156")
        assert await client.at_end()


async def test_the_farm_notices_follow_the_ids(gateway: SimulatedGateway) -> None:
    async with unstarted(gateway) as client:
        await client.shake_hands("v157..178")
        client.send(71, 2, 5, "")
        assert await client.frame() == ["15", "1", "DU1234567"]
        assert await client.frame() == ["9", "1", "1"]
        notices = [await client.frame() for _ in range(4)]
        assert [(notice[2], notice[3]) for notice in notices] == [
            ("-1", "2104"),
            ("-1", "2107"),
            ("-1", "2106"),
            ("-1", "2158"),
        ]


async def test_a_client_id_in_use_gets_326_and_the_first_client_stays(gateway: SimulatedGateway) -> None:
    async with raw(gateway, client_id=4) as first:
        async with unstarted(gateway) as second:
            await second.shake_hands("v157..178")
            second.send(71, 2, 4, "")
            assert (await second.frame())[2:4] == ["-1", "326"]
            assert await second.at_end()
        first.send(49, 1)
        assert (await first.message(49))[0] == "49"


async def test_a_client_id_is_free_again_after_its_connection_ended(gateway: SimulatedGateway) -> None:
    for _ in range(2):
        async with connected(gateway, 4):
            pass


async def test_one_client_too_many_is_let_go(clock: ManualClock) -> None:
    config = GatewayConfig(limits=Limits(clients=1))
    async with (
        SimulatedGateway(config, clock) as gateway,
        raw(gateway, client_id=1),
        unstarted(gateway) as second,
    ):
        await second.shake_hands("v157..178")
        second.send(71, 2, 2, "")
        assert await second.at_end()


async def test_the_next_order_id_persists_for_a_client_id_alone(gateway: SimulatedGateway) -> None:
    async with connected(gateway, 4) as ib:
        order = limit("BUY", 1, 100, orderId=41)
        await settled(ib, ib.placeOrder(aapl(), order), "Submitted")
    async with unstarted(gateway) as same:
        await same.shake_hands("v157..178")
        same.send(71, 2, 4, "")
        assert await same.message(9) == ["9", "1", "42"]
    async with unstarted(gateway) as other:
        await other.shake_hands("v157..178")
        other.send(71, 2, 5, "")
        assert await other.message(9) == ["9", "1", "1"]


async def test_several_accounts_are_announced_and_synchronised(clock: ManualClock) -> None:
    config = GatewayConfig(accounts=("DU1", "DU2", "DF3"))
    async with SimulatedGateway(config, clock) as gateway, connected(gateway) as ib:
        assert ib.managedAccounts() == ["DU1", "DU2", "DF3"]
        assert {value.account for value in ib.accountValues()} == {"DU1", "DU2", "DF3"}


async def test_many_clients_work_at_once(gateway: SimulatedGateway) -> None:
    async def ask(client_id: int) -> int:
        async with connected(gateway, client_id) as ib:
            return len(await ib.reqContractDetailsAsync(aapl()))

    assert await asyncio.gather(*(ask(client_id) for client_id in range(1, 11))) == [1] * 10


async def test_closing_the_gateway_ends_every_session_and_task(clock: ManualClock) -> None:
    before = asyncio.all_tasks()
    gateway = SimulatedGateway(GatewayConfig(control_port=0), clock)
    await gateway.open()
    ib = IB()
    await ib.connectAsync("127.0.0.1", gateway.port, clientId=1)
    errors = errors_of(ib)
    await gateway.close()
    ib.disconnect()
    assert asyncio.all_tasks() == before
    assert errors == []
