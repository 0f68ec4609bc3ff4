from __future__ import annotations

import pytest
from ib_async import Contract, Stock
from ib_async.wrapper import RequestError

from simulated_gateway import SimulatedGateway

from .clients import AAPL, aapl, calls, connected, errors_of, raw, until


async def test_a_stock_is_described_in_full(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        [details] = await ib.reqContractDetailsAsync(Stock("AAPL", "SMART", "USD"))
        assert details.contract is not None
        assert (details.contract.conId, details.contract.primaryExchange) == (AAPL, "NASDAQ")
        assert "SMART" in details.validExchanges.split(",")
        assert [(tag.tag, tag.value) for tag in details.secIdList] == [("ISIN", "US0378331005")]
        assert details.tradingHours.startswith("20251119:0400-20251119:2000;")
        assert details.timeZoneId == "US/Eastern"
        assert (details.minSize, details.sizeIncrement) == (1, 1)


async def test_an_unknown_contract_is_200(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        with pytest.raises(RequestError) as caught:
            await ib.reqContractDetailsAsync(Stock("NOSUCH", "SMART", "USD"))
        assert caught.value.code == 200


async def test_too_little_said_gives_every_contract_that_fits(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        found = await ib.reqContractDetailsAsync(Contract(secType="FUT", symbol="ES", exchange="CME"))
        assert len(found) > 1
        assert len({details.realExpirationDate for details in found}) == len(found)


async def test_a_contract_id_alone_names_anything(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        [future, *_] = await ib.reqContractDetailsAsync(Contract(secType="FUT", symbol="ES", exchange="CME"))
        assert future.contract is not None
        [again] = await ib.reqContractDetailsAsync(Contract(conId=future.contract.conId))
        assert again.contract == future.contract


async def test_the_option_chain_has_every_exchange_with_its_strikes(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        chains = await ib.reqSecDefOptParamsAsync("AAPL", "", "STK", AAPL)
        assert "SMART" in {chain.exchange for chain in chains}
        assert all(chain.expirations and chain.strikes for chain in chains)
        assert all(chain.multiplier == "100" for chain in chains)


async def test_a_chain_of_something_else_is_an_error(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        client.send(78, 5, "MSFT", "", "STK", AAPL)
        assert (await client.message(4))[2:4] == ["5", "321"]


async def test_a_symbol_search_without_result_is_an_empty_answer(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        assert await ib.reqMatchingSymbolsAsync("ZZZZZZ") == []
        assert await ib.reqMatchingSymbolsAsync("appl")


async def test_a_market_rule_gives_the_increment(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        [details] = await ib.reqContractDetailsAsync(aapl())
        rule = await ib.reqMarketRuleAsync(int(details.marketRuleIds.split(",")[0]))
        assert rule is not None
        assert [(step.lowEdge, step.increment) for step in rule] == [(0, 0.01)]
        errors = errors_of(ib)
        calls(ib).reqMarketRule(987654)
        await until(ib, lambda: bool(errors))
        assert errors[0][1] == 321
