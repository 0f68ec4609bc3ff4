"""Every layout that depends on the negotiated version, counted raw and decoded by ib_async."""

from __future__ import annotations

import pytest
from ib_async import LimitOrder

from simulated_gateway import SimulatedGateway

from .clients import AAPL, aapl, connected, limit, market, raw, settled

VERSIONS = [157, 158, 160, 162, 163, 164, 165, 166, 169, 170, 174, 175, 176, 177, 178]
#: Fields of a message, its id included, from the version on that is named.
ERROR_FIELDS = {157: 5, 166: 6}
DETAILS_FIELDS = {157: 41, 163: 42, 164: 42}
OPEN_ORDER_FIELDS = {157: 128, 158: 129, 160: 130, 162: 131, 170: 136, 177: 135}
COMPLETED_ORDER_FIELDS = {157: 96, 170: 101, 177: 100}
EXECUTION_FIELDS = {157: 31, 178: 32}


def at(table: dict[int, int], version: int) -> int:
    return table[max(since for since in table if since <= version)]


@pytest.mark.parametrize("version", VERSIONS)
async def test_messages_have_the_fields_of_their_version(gateway: SimulatedGateway, version: int) -> None:
    async with connected(gateway, 1) as ib:
        await settled(ib, ib.placeOrder(aapl(), market("BUY", 1)), "Filled")
        await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 100)), "Submitted")
    async with raw(gateway, version) as client:
        assert client.version == version
        client.send(2, 2, 77)
        error = await client.message(4)
        assert error[2:4] == ["77", "300"]
        assert len(error) == at(ERROR_FIELDS, version)
        contract = (AAPL, "", "", "", "0.0", "", "", "", "", "", "", "")
        client.send(9, 8, 5, *contract, 0, "", "", *([""] if version >= 176 else []))
        assert len(await client.message(10)) == at(DETAILS_FIELDS, version)
        client.send(16, 1)
        assert len(await client.message(5)) == at(OPEN_ORDER_FIELDS, version)
        assert len(await client.message(3)) == 12
        client.send(99, 0)
        assert len(await client.message(101)) == at(COMPLETED_ORDER_FIELDS, version)
        client.send(7, 3, 6, 0, "", "", "", "", "", "")
        assert len(await client.message(11)) == at(EXECUTION_FIELDS, version)
        assert len(await client.message(59)) == 8
        client.send(81, 8, "AAPL")
        samples = await client.message(79)
        assert samples[:4] == ["79", "8", samples[2], str(AAPL)]
        client.send(61, 1)
        assert len(await client.message(61)) == 16


@pytest.mark.parametrize("version", VERSIONS)
async def test_ib_async_understands_and_is_understood_at_every_version(gateway: SimulatedGateway, version: int) -> None:
    async with connected(gateway, 1, highest_version=version) as ib:
        assert ib.client.serverVersion() == version
        [details] = await ib.reqContractDetailsAsync(aapl())
        assert (details.longName, details.minTick, details.stockType) == ("APPLE INC", 0.01, "COMMON")
        order = LimitOrder("BUY", 3, 400, tif="GTC", orderRef="ref", account="DU1234567", outsideRth=True, algoId="")
        trade = await settled(ib, ib.placeOrder(aapl(), order), "Filled")
        assert trade.fills[0].execution.orderRef == "ref"
        sale = limit("SELL", 2, 999.5, tif="GTC", orderRef="sale")
        resting = await settled(ib, ib.placeOrder(aapl(), sale), "Submitted")
        [seen] = await ib.reqAllOpenOrdersAsync()
        assert (seen.order.orderRef, seen.order.tif, seen.order.lmtPrice) == ("sale", "GTC", 999.5)
        assert seen.order.permId == resting.order.permId
        ib.cancelOrder(resting.order)
        await settled(ib, resting, "Cancelled")
        completed = {done.order.orderRef: done for done in await ib.reqCompletedOrdersAsync(apiOnly=False)}
        assert completed["ref"].orderStatus.status == "Filled"
        assert completed["ref"].order.filledQuantity == 3
        assert completed["sale"].orderStatus.status == "Cancelled"
        assert len(await ib.reqExecutionsAsync()) == 1
        matches = await ib.reqMatchingSymbolsAsync("AAPL") or []
        assert [match.contract.conId for match in matches if match.contract] == [AAPL]


async def test_executions_carry_their_zone_from_174(gateway: SimulatedGateway) -> None:
    async with connected(gateway, 1) as ib:
        await settled(ib, ib.placeOrder(aapl(), market("BUY", 1)), "Filled")
    for version, times in ((173, "20251119  11:00:0"), (174, "20251119 11:00:0")):
        async with raw(gateway, version) as client:
            client.send(7, 3, 6, 0, "", "", "", "", "", "")
            execution = await client.message(11)
            assert execution[15].startswith(times)
            assert execution[15].endswith("US/Eastern") == (version >= 174)
