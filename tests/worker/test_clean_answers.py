"""No answer of any tool, about any instrument, holds a number that is none, an exponent, or an invented zero."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from shared.contract import OPERATIONS
from shared.errors import BridgeError
from simulated_gateway import OpeningPosition
from simulated_gateway.instruments import ContractQuery

from .harness import Bridge, quiet_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

END = "2025-11-19T16:00:00Z"
CONTRACTS: dict[str, dict[str, Any]] = {
    "a stock": {"symbol": "AAPL"},
    "a share class": {"symbol": "BRK B"},
    "a fund": {"symbol": "SPY"},
    "a fresh listing": {"symbol": "NIPO"},
    "a stock without a book": {"symbol": "NOBK"},
    "not subscribed": {"symbol": "AIR", "currency": "EUR"},
    "delayed": {"symbol": "7203", "currency": "JPY"},
    "pounds": {"symbol": "VOD", "currency": "GBP"},
    "francs": {"symbol": "NESN", "currency": "CHF"},
    "an index": {"symbol": "SPX", "sec_type": "IND"},
    "an index without data": {"con_id": 11004968},
    "forex": {"symbol": "EUR.USD", "sec_type": "CASH"},
    "yen": {"symbol": "USD.JPY", "sec_type": "CASH"},
    "a coin": {"symbol": "BTC", "sec_type": "CRYPTO"},
    "over the counter": {"symbol": "TCEHY"},
}
NO_NUMBER = re.compile(r"nan|inf(?!o)|1\.797|2147483647|-?\d(\.\d+)?e[+-]?\d", re.IGNORECASE)
ZERO_MEANS_ABSENT = frozenset(
    {
        "bid", "ask", "last", "close", "open", "high", "low", "market_price", "avg_fill_price", "limit_price",
        "stop_price", "perm_id", "order_id", "con_id", "net_liquidation", "strike_range",
    }
)  # fmt: skip


def numbers(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every number in an answer, with the name of its field."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from numbers(item, name)
    elif isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        yield name, value


def check(text: str) -> None:
    """Fail where an answer holds what no client may see."""
    outside_words = re.sub(r'"[^"]*"', '""', text)
    assert NO_NUMBER.search(outside_words) is None, text
    for name, number in numbers(json.loads(text, parse_float=Decimal)):
        if name in ZERO_MEANS_ABSENT:
            assert number != 0, (name, text)
        if name in {"bid", "ask", "last", "close", "market_price"}:
            assert isinstance(number, (int, Decimal))
            assert number > 0, (name, text)


async def answered(bridge: Bridge, tool: str, **arguments: Any) -> str:
    """An answer, or the error's line where the tool refuses."""
    try:
        text = await bridge.text(tool, **arguments)
    except BridgeError as error:
        line = str(error)
        assert re.fullmatch(r"[A-Z_]+: .+\. Do: .+\. Retry: .+\.", line), line
        assert len(line) < 500
        return line
    check(text)
    OPERATIONS[tool].result.model_validate_json(text)
    return text


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)
async def test_every_market_data_tool_answers_in_clean_numbers(shared_bridge: Bridge, contract: dict[str, Any]) -> None:
    await answered(shared_bridge, "get_stock_price", **contract)
    await answered(shared_bridge, "get_historical_data", **contract, end=END)
    await answered(shared_bridge, "get_historical_data", **contract, end=END, bar_size="1 day", duration="1 M")
    await answered(shared_bridge, "get_historical_data", **contract, end=END, what_to_show="BID_ASK")
    chain = await answered(shared_bridge, "get_option_chain", **contract)
    if chain.startswith("{"):
        expiration = json.loads(chain)["items"][0]["expirations"][0]
        await answered(shared_bridge, "get_option_chain", **contract, expiration=expiration)
    await answered(shared_bridge, "search_contracts", pattern=str(contract.get("symbol", "E")))


async def test_an_option_is_priced_and_held_in_clean_numbers(shared_bridge: Bridge) -> None:
    catalogue = shared_bridge.gateway.brokerage.catalogue
    options = catalogue.match(ContractQuery(symbol="AAPL", sec_type="OPT", expiry="20251219", right="C"))
    for option in options[:: max(len(options) // 6, 1)]:
        await answered(shared_bridge, "get_stock_price", con_id=option.con_id)
        await answered(shared_bridge, "get_historical_data", con_id=option.con_id, end=END)


async def test_account_tools_answer_in_clean_numbers() -> None:
    holdings = tuple(
        OpeningPosition(symbol=symbol, quantity=Decimal(quantity), cost=Decimal(cost), currency=currency, sec_type=kind)
        for symbol, quantity, cost, currency, kind in (
            ("AAPL", "100", "151.2", "USD", "STK"),
            ("NIPO", "10", "16.5", "USD", "STK"),
            ("NOBK", "-10", "40", "USD", "STK"),
            ("AIR", "5", "180.333333", "EUR", "STK"),
            ("7203", "100", "2900", "JPY", "STK"),
            ("BTC", "0.00000001", "90000", "USD", "CRYPTO"),
            ("EUR", "20000", "1.1", "USD", "CASH"),
        )
    )
    async with Bridge(quiet_gateway(opening_positions=holdings)) as bridge:
        positions = await answered(bridge, "get_positions")
        assert '"quantity":0.00000001' in positions
        await answered(bridge, "get_account_summary")
        assert {row["symbol"] for row in json.loads(positions)["items"]} >= {"AAPL", "NIPO", "NOBK", "AIR", "7203"}


async def test_order_tools_answer_in_clean_numbers() -> None:
    async with Bridge() as bridge:
        for number, contract in enumerate(CONTRACTS.values()):
            order = contract | {"action": "BUY", "quantity": 1, "client_order_id": f"o-{number}"}
            await answered(bridge, "place_market_order", **order)
            await answered(bridge, "place_limit_order", **order | {"limit_price": 10, "client_order_id": f"l-{number}"})
            await answered(bridge, "place_stop_order", **order | {"stop_price": 5, "client_order_id": f"s-{number}"})
            await answered(bridge, "cancel_order", order_id=f"l-{number}")
        await answered(bridge, "place_limit_order", symbol="BTC", sec_type="CRYPTO", action="BUY",
                       quantity="0.00000001", limit_price="0.25", client_order_id="tiny", tif="GTC")  # fmt: skip
        await answered(bridge, "get_orders")
        await bridge.stop_worker()
        await bridge.start_worker()
        await answered(bridge, "get_orders")
        await answered(bridge, "get_positions")
