"""The simulated gateway is understood by clients that nobody of this project wrote."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from .sessions import CLIENTS, ForeignClient, Session, session_of

# An installation on first use is not the test's own time.
pytestmark = pytest.mark.timeout(60, func_only=True)

AAPL = 265598


@pytest.fixture(params=CLIENTS, ids=str)
def client(request: pytest.FixtureRequest) -> ForeignClient:
    chosen: ForeignClient = request.param
    return chosen


@pytest.fixture
def session(client: ForeignClient) -> Session:
    return session_of(client)


@pytest.fixture
def told(session: Session) -> dict[str, Any]:
    return session.told


def test_the_version_is_the_highest_both_know(client: ForeignClient, told: dict[str, Any]) -> None:
    assert told["server_version"] == client.agrees_on


def test_the_account_its_values_and_its_positions_are_told(session: Session, told: dict[str, Any]) -> None:
    assert told["accounts"] == ["DU1234567"]
    cash = {currency: value for _, tag, value, currency in told["values"] if tag == "CashBalance"}
    assert (cash["USD"], cash["EUR"]) == ("500000.00", "25000.00")
    assert {account for account, *_ in told["values"]} == {"DU1234567"}
    held = {str(one.con_id): [float(one.quantity), float(one.average_cost)] for one in session.positions}
    assert told["positions"] == held
    assert told["portfolio"].keys() == held.keys()
    assert all(price > 0 for _, price in told["portfolio"].values())


def test_contracts_are_described_searched_and_told_apart(told: dict[str, Any]) -> None:
    assert told["unique"] == [AAPL, "NASDAQ", "APPLE INC", 0.01]
    assert len(set(told["ambiguous"])) == 2
    assert told["unknown"] == []
    assert 200 in [code for code, _ in told["errors"]]
    assert [AAPL, "AAPL"] in told["matching"]


def test_an_option_chain_has_every_exchange_with_expirations_and_strikes(told: dict[str, Any]) -> None:
    assert "SMART" in [exchange for exchange, *_ in told["chains"]]
    for _, trading_class, multiplier, expirations, strikes in told["chains"]:
        assert (trading_class, multiplier) == ("AAPL", "100")
        assert len(expirations) > 3
        assert len(strikes) > 20


def test_a_snapshot_is_whole_and_a_stream_follows_the_market(told: dict[str, Any]) -> None:
    bid, ask, last, close = told["snapshot"]
    assert 0 < bid < ask
    assert bid <= last <= ask
    assert close > 0
    assert told["stream"] == [201.5, 201.51, 201.5]


def test_bars_are_whole_and_ascending(told: dict[str, Any]) -> None:
    assert len(told["hours"]) == 3
    assert [day.replace("-", "") for day, *_ in told["days"]] == [
        "20251113", "20251114", "20251117", "20251118", "20251119",
    ]  # fmt: skip
    for bars in (told["hours"], told["days"]):
        assert [bar[0] for bar in bars] == sorted(bar[0] for bar in bars)
        assert all(low <= min(start, end) <= max(start, end) <= high for _, start, high, low, end, _ in bars)
        assert all(volume > 0 for *_, volume in bars[:-1])


def test_an_order_is_placed_modified_and_cancelled(session: Session, told: dict[str, Any]) -> None:
    order = session.orders["foreign-limit"]
    assert told["placed"]["foreign-limit"] == ["Cancelled", order.perm_id, 0]
    assert (order.status, order.limit_price, order.tif) == ("Cancelled", Decimal("101.25"), "DAY")
    assert order.quantity == 5
    assert [entry.kind for entry in session.ledger][:3] == ["place", "modify", "cancel"]
    assert 202 in [code for code, _ in told["errors"]]


def test_an_order_at_the_market_fills_and_a_stop_rests(session: Session, told: dict[str, Any]) -> None:
    filled, resting = session.orders["foreign-market"], session.orders["foreign-stop"]
    assert told["placed"]["foreign-market"] == ["Filled", filled.perm_id, float(filled.average_price)]
    assert told["placed"]["foreign-stop"] == ["PreSubmitted", resting.perm_id, 0]
    assert (resting.order_type, resting.stop_price) == ("STP", Decimal(90))
    assert resting.quantity == 2


def test_open_and_completed_orders_and_executions_are_listed(session: Session, told: dict[str, Any]) -> None:
    assert told["open"] == [["foreign-stop", 90]]
    assert sorted(told["completed"]) == [["foreign-limit", "Cancelled"], ["foreign-market", "Filled"]]
    price = float(session.orders["foreign-market"].average_price)
    assert told["executions"] == [["foreign-market", 3, price, 1, "USD"]]


def test_nothing_else_was_complained_about(told: dict[str, Any]) -> None:
    notices = {2104, 2106, 2107, 2158}
    assert sorted(code for code, _ in told["errors"] if code not in notices) == [200, 202]


@pytest.mark.parametrize("other", CLIENTS[1:], ids=str)
def test_every_client_is_told_the_same(other: ForeignClient) -> None:
    one, two = session_of(CLIENTS[0]).told, session_of(other).told
    for name in ("positions", "portfolio", "unique", "ambiguous", "matching", "chains", "snapshot", "executions"):
        assert one[name] == two[name], name
    # How a time is written depends on the version and the library; what happened then does not.
    assert [bar[1:] for bar in one["hours"]] == [bar[1:] for bar in two["hours"]]
    assert [bar[1:5] for bar in one["days"]] == [bar[1:5] for bar in two["days"]]
