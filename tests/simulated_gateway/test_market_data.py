from __future__ import annotations

import math
from decimal import Decimal

import pytest
from ib_async import Contract, Forex, Index, Option, Stock

from simulated_gateway import GatewayConfig, Limits, ManualClock, SimulatedGateway
from simulated_gateway.instruments import Instrument
from simulated_gateway.listings import LISTINGS

from .clients import AAPL, MSFT, QUICK_BEAT, aapl, calls, connected, errors_of, raw, until

CONTRACT = (AAPL, "AAPL", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")


def listed(permission: str) -> Instrument:
    return next(one for one in LISTINGS if one.data == permission)


def contract_of(instrument: Instrument) -> Contract:
    return Contract(conId=instrument.con_id, exchange=instrument.exchange)


async def test_a_stream_gives_the_whole_quote_and_then_what_changes(gateway: SimulatedGateway) -> None:
    gateway.control.move_price(AAPL, Decimal(200))
    async with connected(gateway) as ib:
        ticker = ib.reqMktData(aapl())
        await until(ib, lambda: ticker.last == 200)
        assert (ticker.bid, ticker.ask, ticker.marketDataType) == (200, 200.01, 1)
        assert ticker.bidSize > 0
        assert ticker.volume > 0
        assert not math.isnan(ticker.close)
        gateway.control.move_price(AAPL, Decimal("200.5"))
        await until(ib, lambda: ticker.bid == 200.5)


async def test_what_does_not_change_is_not_sent_again(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        client.send(1, 11, 5, *CONTRACT, 0, "", 0, 0, "")
        while (await client.frame())[:4] != ["46", "6", "5", "45"]:
            pass
        gateway.control.beat()
        client.send(49, 1)
        assert (await client.frame())[0] == "49"


async def test_a_cancelled_stream_is_silent_and_cannot_be_cancelled_twice(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        client.send(1, 11, 5, *CONTRACT, 0, "", 0, 0, "")
        await client.message(1)
        client.send(2, 2, 5)
        client.send(2, 2, 5)
        assert (await client.message(4))[2:4] == ["5", "300"]
        gateway.control.move_price(AAPL, Decimal(199))
        client.send(49, 1)
        assert (await client.frame())[0] == "49"


async def test_a_snapshot_of_complete_data_ends_at_once(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        [ticker] = await ib.reqTickersAsync(aapl())
        assert ticker.bid > 0
        assert gateway.control.connections()[0].streams.count(("market data", 1)) == 0


async def test_a_snapshot_with_missing_data_ends_when_patience_does(clock: ManualClock) -> None:
    missing = next(one for one in LISTINGS if one.behaviour.missing - {"volume"} and one.sec_type == "STK")
    config = GatewayConfig(beat_seconds=QUICK_BEAT, market_moves=False, snapshot_patience=11)
    async with SimulatedGateway(config, clock) as gateway, raw(gateway) as client:
        client.send(1, 11, 5, missing.con_id, *CONTRACT[1:7], "SMART", "", "", "", "", 0, "", 1, 0, "")
        await client.message(58)
        gateway.control.advance(10)
        client.send(49, 1)
        while (frame := await client.frame())[0] != "49":
            assert frame[0] != "57"
        gateway.control.advance(1)
        assert await client.message(57) == ["57", "1", "5"]


async def test_a_forex_pair_and_an_index_are_complete_without_what_they_never_have(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        contracts = await ib.qualifyContractsAsync(Forex("EURUSD"), Index("SPX", "CBOE", "USD"))
        pair, index = await ib.reqTickersAsync(*[one for one in contracts if isinstance(one, Contract)])
        assert pair.bid < pair.ask
        assert math.isnan(pair.last)
        assert index.last > 0
        assert math.isnan(index.bid)


async def test_an_option_comes_with_its_greeks(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        chains = await ib.reqSecDefOptParamsAsync("AAPL", "", "STK", AAPL)
        chain = next(chain for chain in chains if chain.exchange == "SMART")
        strike = chain.strikes[len(chain.strikes) // 2]
        [option] = await ib.qualifyContractsAsync(
            Option("AAPL", chain.expirations[3], strike, "C", "SMART", currency="USD")
        )
        assert isinstance(option, Contract)
        ticker = ib.reqMktData(option)
        await until(ib, lambda: ticker.modelGreeks is not None)
        assert ticker.modelGreeks is not None
        assert ticker.modelGreeks.delta is not None
        assert 0 < ticker.modelGreeks.delta < 1


async def test_without_subscription_live_data_is_refused_with_10089_where_delayed_exists(
    gateway: SimulatedGateway,
) -> None:
    async with connected(gateway) as ib:
        errors = errors_of(ib)
        ib.reqMktData(contract_of(listed("delayed")))
        await until(ib, lambda: bool(errors))
        assert errors[0][1] == 10089


@pytest.mark.parametrize("kind", [3, 4])
async def test_delayed_data_follows_where_the_client_accepts_it(gateway: SimulatedGateway, kind: int) -> None:
    async with connected(gateway) as ib:
        errors = errors_of(ib)
        ib.reqMarketDataType(kind)
        ticker = ib.reqMktData(contract_of(listed("delayed")))
        await until(ib, lambda: ticker.last > 0)
        assert [code for _, code, _ in errors] == [10167]
        assert ticker.marketDataType in {3, 4}


async def test_delayed_ticks_have_their_own_numbers(gateway: SimulatedGateway) -> None:
    instrument = listed("delayed")
    async with raw(gateway) as client:
        client.send(59, 1, 3)
        client.send(1, 11, 5, instrument.con_id, *CONTRACT[1:7], instrument.exchange, "", "", "", "", 0, "", 1, 0, "")
        kinds: set[str] = set()
        while (frame := await client.frame())[0] != "57":
            if frame[0] in {"1", "2"}:
                kinds.add(frame[3])
        assert {"66", "67", "68", "75"} <= kinds
        assert all(int(kind) >= 66 for kind in kinds)


async def test_what_nobody_may_see_is_354(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        errors = errors_of(ib)
        ib.reqMarketDataType(4)
        ib.reqMktData(contract_of(listed("none")))
        await until(ib, lambda: bool(errors))
        assert errors[0][1] == 354


async def test_an_unknown_contract_and_an_ambiguous_one_are_200(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        client.send(1, 11, 5, 0, "NOSUCH", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "", 0, "", 0, 0, "")
        assert (await client.message(4))[2:4] == ["5", "200"]
        client.send(1, 11, 6, 0, "ES", "FUT", "", "0.0", "", "", "CME", "", "USD", "", "", 0, "", 0, 0, "")
        error = await client.message(4)
        assert error[2:4] == ["6", "200"]
        assert "ambiguous" in error[4]


async def test_the_line_past_the_limit_is_101_and_counted(clock: ManualClock) -> None:
    config = GatewayConfig(limits=Limits(market_data_lines=2), beat_seconds=QUICK_BEAT)
    async with SimulatedGateway(config, clock) as gateway, raw(gateway) as client:
        for req_id in (1, 2, 3):
            client.send(1, 11, req_id, *CONTRACT, 0, "", 0, 0, "")
        assert (await client.message(4))[2:4] == ["3", "101"]
        client.send(2, 2, 1)
        client.send(1, 11, 4, *CONTRACT, 0, "", 0, 0, "")
        while (await client.frame())[:3] != ["58", "1", "4"]:
            pass
        counters = gateway.control.counters()
        assert counters.violations[101] == 1
        assert counters.most_lines == 2


async def test_a_competing_session_silences_present_lines_and_refuses_new_ones(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        ticker = ib.reqMktData(aapl())
        await until(ib, lambda: ticker.bid > 0)
        errors = errors_of(ib)
        gateway.control.compete()
        ib.reqMktData(Stock("MSFT", "SMART", "USD", conId=MSFT))
        await until(ib, lambda: len(errors) == 2)
        assert [code for _, code, _ in errors] == [10197, 10197]
        gateway.control.move_price(AAPL, Decimal(123))
        gateway.control.compete(False)
        await until(ib, lambda: ticker.bid == 123)


async def test_generic_ticks_do_not_go_with_a_snapshot(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        client.send(1, 11, 5, *CONTRACT, 0, "233", 1, 0, "")
        assert (await client.message(4))[2:4] == ["5", "321"]


async def test_a_frozen_kind_of_data_is_said_of_a_closed_market(gateway: SimulatedGateway) -> None:
    gateway.control.advance(12 * 3600)
    async with raw(gateway) as client:
        client.send(59, 1, 2)
        client.send(1, 11, 5, *CONTRACT, 0, "", 0, 0, "")
        assert (await client.message(58))[3] == "2"


async def test_prices_move_by_themselves_where_the_market_may(clock: ManualClock) -> None:
    async with SimulatedGateway(GatewayConfig(beat_seconds=QUICK_BEAT), clock) as gateway, connected(gateway) as ib:
        ticker = ib.reqMktData(aapl())
        seen: set[float] = set()
        ib.updateEvent += lambda: seen.add(ticker.bid)
        await until(ib, lambda: len(seen) > 3)
        calls(ib).cancelMktData(1)
