"""Scenarios of the tools that only read, and of what keeps them from an answer."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from simulated_gateway.config import Limits

from .scenario import scenario
from .stage import Stage

AAPL = 265598


@scenario()
async def accounts(stage: Stage) -> None:
    """Balances, holdings and profit."""
    await stage.call("get_account_summary")
    await stage.call("get_positions")
    await stage.call("get_pnl")


@scenario(gateway={"accounts": ("DU1234567", "DU7654321")})
async def two_accounts(stage: Stage) -> None:
    """One user with two accounts: lists name both, the rest asks which one is meant."""
    await stage.refused("get_account_summary", "INVALID_ARGUMENT")
    await stage.call("get_positions")
    await stage.refused("get_positions", "WRONG_ACCOUNT", account="DU9999999")


@scenario(every_layout=True)
async def contracts(stage: Stage) -> None:
    """Found by a pattern, described, not found, and several that fit."""
    await stage.call("search_contracts", pattern="AAP")
    await stage.call("get_contract_details", symbol="AAPL")
    await stage.refused("get_contract_details", "UNKNOWN_CONTRACT", symbol="NOSUCH")


@scenario()
async def ambiguous_contract(stage: Stage) -> None:
    """A future without its month is asked back, not guessed."""
    await stage.refused("get_stock_price", "AMBIGUOUS_CONTRACT", symbol="ES", sec_type="FUT", exchange="CME")


@scenario()
async def prices(stage: Stage) -> None:
    """One price, several in one call, one of them of an unknown contract."""
    await stage.call("get_stock_price", symbol="AAPL")
    stage.control.move_price(AAPL, Decimal("271.50"))
    await stage.call("get_quotes", symbols=["AAPL", "KO", "NOSUCH"])


@scenario(every_layout=True)
async def history(stage: Stage) -> None:
    """Bars of hours and of days."""
    await stage.call("get_historical_data", symbol="AAPL")
    await stage.call("get_historical_data", symbol="AAPL", duration="3 D", bar_size="1 day")


@scenario()
async def options(stage: Stage) -> None:
    """Expirations, strikes around the money, and prices with greeks."""
    chain = await stage.call("get_option_chain", symbol="KO")
    expiration = chain["items"][0]["expirations"][2]
    await stage.call("get_option_chain", symbol="KO", expiration=expiration, strikes=4)
    await stage.call("get_option_quotes", symbol="KO", expiration=expiration, strikes=1)


@scenario()
async def data_not_subscribed(stage: Stage) -> None:
    """Delayed data where the account has no better (10167), and none at all (354)."""
    await stage.call("get_stock_price", symbol="VOD", currency="GBP")
    await stage.refused("get_stock_price", "NOT_SUBSCRIBED", symbol="AIR", currency="EUR")


@scenario()
async def competing_session(stage: Stage) -> None:
    """Another session of the same user takes the live data away (10197), and gives it back."""
    await stage.call("get_stock_price", symbol="AAPL")
    stage.control.compete()
    await stage.refused("get_stock_price", "COMPETING_SESSION", symbol="KO")
    stage.control.compete(on=False)
    await asyncio.sleep(120)
    await stage.call("get_stock_price", symbol="KO")


@scenario(gateway={"limits": Limits(market_data_lines=2)})
async def lines_full(stage: Stage) -> None:
    """The account has fewer market data lines than the worker thought (101)."""
    await stage.call("get_quotes", symbols=["AAPL", "KO", "MSFT"])


@scenario()
async def market_data_farm_lost(stage: Stage) -> None:
    """A server behind the gateway is gone and comes back (2103, 2104)."""
    await stage.call("get_stock_price", symbol="AAPL")
    stage.control.send_notice(2103)
    await stage.ask("get_stock_price", symbol="AAPL")
    stage.control.send_notice(2104, "Market data farm connection is OK:usfarm")
    await stage.call("get_stock_price", symbol="AAPL")


@scenario(gateway={"limits": Limits(history_in_ten_minutes=0)})
async def history_pacing(stage: Stage) -> None:
    """The gateway has had enough questions about history (162)."""
    await stage.refused("get_historical_data", "PACING", symbol="AAPL", duration="300 S", bar_size="10 secs")


@scenario(gateway={"history_seconds": 3.0})
async def pacing_violation(stage: Stage) -> None:
    """The same from IBKR's servers, while the question is under way (420)."""
    asking = asyncio.ensure_future(stage.ask("get_historical_data", symbol="AAPL"))
    await asyncio.sleep(1)
    [client] = stage.control.connections()
    [request] = [number for kind, number in client.streams if kind == "history"]
    stage.control.send_notice(420, "Invalid Real-time Query:Historical data request pacing violation", request)
    answer = await asking
    assert answer["error"]["code"] == "PACING", answer


@scenario()
async def delayed_answers(stage: Stage) -> None:
    """Every answer is late."""
    stage.control.slow_down(1.5)
    await stage.call("search_contracts", pattern="KO")
    await stage.call("get_stock_price", symbol="AAPL")


@scenario(gateway={"limits": Limits(messages_per_second=2)})
async def too_many_messages(stage: Stage) -> None:
    """The gateway takes fewer messages a second than it should, warns (100) and hangs up."""
    for second in range(3):
        patterns = [f"NOTHING{second}{number}" for number in range(4)]
        await asyncio.gather(*(stage.ask("search_contracts", pattern=pattern) for pattern in patterns))
        await asyncio.sleep(1)
    await stage.ready()
