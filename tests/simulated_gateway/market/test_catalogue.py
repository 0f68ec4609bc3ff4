from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from simulated_gateway.catalogue import MOST_MATCHES, Catalogue
from simulated_gateway.clock import ManualClock
from simulated_gateway.instruments import ContractQuery
from simulated_gateway.listings import LISTINGS


@pytest.mark.parametrize(
    ("symbol", "con_id"),
    [
        ("AAPL", 265598), ("MSFT", 272093), ("IBM", 8314), ("SPY", 756733), ("TSLA", 76792991), ("AMZN", 3691937),
        ("NVDA", 4815747), ("GOOG", 208813720), ("GOOGL", 208813719), ("QQQ", 320227571), ("BRK B", 72063691),
        ("JPM", 1520593),
    ],
)  # fmt: skip
def test_well_known_stocks_have_their_real_contract_ids(catalogue: Catalogue, symbol: str, con_id: int) -> None:
    query = ContractQuery(symbol=symbol, sec_type="STK", exchange="SMART", currency="USD")
    assert [each.con_id for each in catalogue.match(query)] == [con_id]


def test_a_symbol_with_several_listings_is_ambiguous_until_currency_or_primary_exchange_is_said(
    catalogue: Catalogue,
) -> None:
    vague = ContractQuery(symbol="VOD", sec_type="STK", exchange="SMART")
    assert {each.currency for each in catalogue.match(vague)} == {"GBP", "USD"}
    assert [each.primary_exchange for each in catalogue.match(replace(vague, currency="GBP"))] == ["LSE"]
    assert [each.currency for each in catalogue.match(replace(vague, primary_exchange="NASDAQ"))] == ["USD"]
    assert [each.currency for each in catalogue.match(replace(vague, primary_exchange="ISLAND"))] == ["USD"]
    assert [each.currency for each in catalogue.match(replace(vague, exchange="LSE"))] == ["GBP"]


@pytest.mark.parametrize(
    "query",
    [
        ContractQuery(symbol="NOSUCH", sec_type="STK", exchange="SMART"),
        ContractQuery(symbol="AAPL", sec_type="STK", exchange="SMART", currency="EUR"),
        ContractQuery(symbol="AAPL", sec_type="STK", exchange="IBIS"),
        ContractQuery(symbol="AAPL", sec_type="WAR"),
        ContractQuery(symbol="AAPL", sec_type="OPT", strike=Decimal("271.3")),
        ContractQuery(con_id=1),
        ContractQuery(con_id=265598, exchange="IBIS"),
        ContractQuery(con_id=1_000_000_001),
        ContractQuery(con_id=2_147_483_647),
        ContractQuery(),
    ],
)
def test_what_does_not_exist_matches_nothing(catalogue: Catalogue, query: ContractQuery) -> None:
    assert catalogue.match(query) == []


def test_a_contract_id_alone_names_any_kind_of_instrument(catalogue: Catalogue) -> None:
    kinds = [
        *LISTINGS,
        *catalogue.match(ContractQuery(symbol="ES", sec_type="FUT")),
        *catalogue.match(ContractQuery(symbol="SPX", sec_type="OPT", trading_class="SPX")),
        *catalogue.match(ContractQuery(symbol="AAPL", sec_type="OPT")),
    ]
    assert {each.sec_type for each in kinds} == {"STK", "IND", "CASH", "CRYPTO", "FUT", "OPT"}
    for each in kinds:
        assert catalogue.match(ContractQuery(con_id=each.con_id)) == [each]
        assert 0 < each.con_id < 2**31


def test_the_instrument_comes_back_with_the_exchange_that_was_asked_for(catalogue: Catalogue) -> None:
    found = catalogue.match(ContractQuery(symbol="aapl", sec_type="stk", exchange="arca"))
    assert [(each.symbol, each.exchange, each.primary_exchange) for each in found] == [("AAPL", "ARCA", "NASDAQ")]


def test_futures_without_an_expiry_are_many_and_with_a_contract_month_one(catalogue: Catalogue) -> None:
    crude = ContractQuery(symbol="CL", sec_type="FUT", exchange="NYMEX")
    assert len(catalogue.match(crude)) == 12
    [january] = catalogue.match(replace(crude, expiry="202701"))
    assert (january.local_symbol, january.expiry, january.multiplier) == ("CLF7", "20261221", "1000")
    assert catalogue.match(ContractQuery(local_symbol="CLF7", sec_type="FUT")) == [january]


def test_futures_roll_with_the_date_and_keep_their_ids(catalogue: Catalogue, clock: ManualClock) -> None:
    query = ContractQuery(symbol="ES", sec_type="FUT", exchange="CME")
    before = catalogue.match(query)
    assert [each.local_symbol for each in before] == ["ESZ6", "ESH7", "ESM7", "ESU7", "ESZ7"]
    clock.advance(timedelta(days=30).total_seconds())
    after = catalogue.match(query)
    assert after[:-1] == before[1:]
    assert catalogue.by_con_id(before[0].con_id) is None


def test_an_option_is_one_only_when_expiry_strike_and_right_are_said(catalogue: Catalogue) -> None:
    vague = ContractQuery(symbol="AAPL", sec_type="OPT", exchange="SMART", currency="USD")
    assert len(catalogue.match(vague)) > 500
    exact = replace(vague, expiry="20261218", strike=Decimal(270), right="CALL")
    [call] = catalogue.match(exact)
    assert call.local_symbol == "AAPL  261218C00270000"
    assert (call.right, call.multiplier, call.under_con_id) == ("C", "100", 265598)
    assert catalogue.match(ContractQuery(local_symbol=call.local_symbol, sec_type="OPT")) == [
        replace(call, exchange="SMART")
    ]


def test_every_contract_of_a_chain_is_in_the_chain_and_most_of_the_chain_are_contracts(catalogue: Catalogue) -> None:
    chain = next(each for each in catalogue.option_chains(416904) if each.trading_class == "SPXW")
    options = catalogue.match(ContractQuery(symbol="SPX", sec_type="OPT", trading_class="SPXW", right="P"))
    assert {each.expiry for each in options} == set(chain.expirations)
    assert {each.strike for each in options} == set(chain.strikes)
    assert len(options) < len(chain.expirations) * len(chain.strikes)


def test_chains_exist_for_each_class_and_exchange(catalogue: Catalogue) -> None:
    assert {(each.exchange, each.trading_class) for each in catalogue.option_chains(416904)} == {
        ("SMART", "SPX"), ("CBOE", "SPX"), ("SMART", "SPXW"), ("CBOE", "SPXW"),
    }  # fmt: skip
    apple = catalogue.option_chains(265598)
    assert {each.multiplier for each in apple} == {"100"}
    assert {"SMART", "CBOE", "ISE"} <= {each.exchange for each in apple}
    assert catalogue.option_chains(12087792) == []
    assert catalogue.option_chains(1) == []


def test_expirations_are_fridays_or_the_trading_day_before_a_closed_one(catalogue: Catalogue) -> None:
    [chain, *_] = catalogue.option_chains(265598)
    assert chain.expirations[:8] == (
        "20261127", "20261204", "20261211", "20261218", "20261224", "20261231", "20270115", "20270219",
    )  # fmt: skip
    assert chain.expirations[-1] == "20290119"


def test_search_puts_the_exact_symbol_first_and_finds_words_of_the_name(catalogue: Catalogue) -> None:
    assert [each.symbol for each in catalogue.search("t")][:2] == ["T", "TSLA"]
    assert [(each.symbol, each.derivative_sec_types) for each in catalogue.search("apple")] == [
        ("AAPL", ("CFD", "OPT"))
    ]
    assert {each.primary_exchange for each in catalogue.search("vodafone")} == {"LSE", "NASDAQ"}
    assert [each.con_id for each in catalogue.search("eur.usd")] == [12087792]
    assert catalogue.search("es")[0].derivative_sec_types == ("FUT",)
    assert len(catalogue.search("inc")) == MOST_MATCHES
    assert catalogue.search("  ") == catalogue.search("nosuchname") == []


def test_the_table_is_sound() -> None:
    assert len({each.con_id for each in LISTINGS}) == len(LISTINGS)
    for each in LISTINGS:
        ZoneInfo(each.time_zone)
        assert each.min_tick > 0
        assert each.behaviour.base_price % each.min_tick == 0
        assert each.exchange in each.valid_exchanges
        assert len(each.market_rule_ids.split(",")) == len(each.valid_exchanges)


def test_every_kind_of_data_permission_and_absence_is_there_to_be_met() -> None:
    assert {each.symbol for each in LISTINGS if each.data == "delayed"} == {"VOD", "7203"}
    assert {each.symbol for each in LISTINGS if each.data == "none" and each.sec_type == "STK"} == {"AIR"}
    absent = {
        each.symbol: each.behaviour.missing for each in LISTINGS if each.sec_type == "STK" and each.behaviour.missing
    }
    assert absent == {"NIPO": {"last", "close", "volume"}, "NOBK": {"bid", "ask"}}
