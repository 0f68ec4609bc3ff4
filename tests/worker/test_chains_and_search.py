"""Option chains, and finding contracts."""

from __future__ import annotations

import pytest

from shared.errors import AmbiguousContract, InvalidArgument, UnknownContract

from .harness import Bridge

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_chain_shows_expirations_and_the_range_of_strikes_only(shared_bridge: Bridge) -> None:
    chains = await shared_bridge.call("get_option_chain", symbol="AAPL")
    assert (chains.symbol, chains.con_id, chains.currency) == ("AAPL", 265598, "USD")
    first = chains.items[0]
    assert (first.exchange, first.trading_class, first.multipliers) == ("SMART", "AAPL", [100])
    assert first.expirations == sorted(first.expirations)
    assert first.expirations[0].count("-") == 2
    assert len(first.strike_range) == 2
    assert first.strike_range[0] < first.strike_range[1]
    assert first.strikes == []
    assert chains.underlying_price is None


@pytest.mark.parametrize("compact", [False, True])
async def test_an_expiration_brings_the_twenty_strikes_around_the_money(shared_bridge: Bridge, compact: bool) -> None:
    expiration = (await shared_bridge.call("get_option_chain", symbol="AAPL")).items[0].expirations[2]
    written = expiration.replace("-", "") if compact else expiration
    chains = await shared_bridge.call("get_option_chain", symbol="AAPL", expiration=written)
    assert chains.underlying_price is not None
    assert chains.underlying_price == shared_bridge.control.quote(265598).last
    for chain in chains.items:
        assert expiration in chain.expirations
        assert 0 < len(chain.strikes) <= 20
        assert chain.strikes == sorted(chain.strikes)
        assert chain.strikes[0] < chains.underlying_price < chain.strikes[-1]


async def test_an_index_with_several_classes_shows_each(shared_bridge: Bridge) -> None:
    chains = await shared_bridge.call("get_option_chain", symbol="SPX", sec_type="IND")
    assert {"SPX", "SPXW"} <= {chain.trading_class for chain in chains.items}


async def test_an_expiration_that_is_not_listed_is_refused_with_those_that_are(shared_bridge: Bridge) -> None:
    listed = (await shared_bridge.call("get_option_chain", symbol="AAPL")).items[0].expirations[0]
    with pytest.raises(InvalidArgument) as refused:
        await shared_bridge.call("get_option_chain", symbol="AAPL", expiration="2025-12-24")
    assert listed in refused.value.action


@pytest.mark.parametrize("written", ["2025-13-01", "20250230", "tomorrow", "2025", 20251301])
async def test_a_date_no_calendar_has_is_refused(shared_bridge: Bridge, written: object) -> None:
    with pytest.raises(InvalidArgument, match="expiration"):
        await shared_bridge.call("get_option_chain", symbol="AAPL", expiration=written)


async def test_what_has_no_options_says_so(shared_bridge: Bridge) -> None:
    with pytest.raises(UnknownContract, match="NIPO"):
        await shared_bridge.call("get_option_chain", symbol="NIPO")


async def test_pages_of_chains_fit_together(shared_bridge: Bridge) -> None:
    seen: list[tuple[str, str]] = []
    cursor: str | None = None
    while True:
        text = await shared_bridge.text("get_option_chain", symbol="SPX", sec_type="IND", cursor=cursor)
        assert len(text) <= 20_000
        page = await shared_bridge.call("get_option_chain", symbol="SPX", sec_type="IND", cursor=cursor)
        seen += [(chain.exchange, chain.trading_class) for chain in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert len(seen) == len(set(seen)) > 1


async def test_a_search_gives_candidates_with_the_con_id_that_names_each(shared_bridge: Bridge) -> None:
    found = await shared_bridge.call("search_contracts", pattern="sap")
    assert {(row.currency, row.primary_exchange) for row in found.items} == {("EUR", "IBIS"), ("USD", "NYSE")}
    for row in found.items:
        assert (row.symbol, row.sec_type) == ("SAP", "STK")
        assert row.description is not None
        assert (await shared_bridge.call("get_stock_price", con_id=row.con_id)).currency == row.currency


async def test_a_search_finds_by_name_and_tells_what_derives(shared_bridge: Bridge) -> None:
    found = await shared_bridge.call("search_contracts", pattern="apple")
    assert [(row.symbol, row.con_id) for row in found.items] == [("AAPL", 265598)]
    assert "OPT" in found.items[0].derivative_sec_types


async def test_a_search_without_a_hit_is_an_empty_list(shared_bridge: Bridge) -> None:
    found = await shared_bridge.call("search_contracts", pattern="zzzzz")
    assert (found.items, found.count) == ([], 0)


@pytest.mark.parametrize("pattern", ["", "   ", None, "x" * 61])
async def test_an_empty_or_endless_pattern_is_refused(shared_bridge: Bridge, pattern: object) -> None:
    with pytest.raises(InvalidArgument, match="pattern"):
        await shared_bridge.call("search_contracts", pattern=pattern)


async def test_an_ambiguous_contract_names_its_candidates(shared_bridge: Bridge) -> None:
    with pytest.raises(AmbiguousContract) as several:
        await shared_bridge.call("get_option_chain", symbol="CL", sec_type="FUT")
    assert several.value.fact.count("con_id") >= 2
    assert "more" in several.value.fact
