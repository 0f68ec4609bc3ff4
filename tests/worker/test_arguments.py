"""What an agent writes: understood where only one thing can be meant, refused in clear words where not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shared.contract import OPERATIONS
from shared.contract.arguments import BAR_SIZES
from shared.errors import BridgeError, InvalidArgument

from .harness import Bridge

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 100}
CONTROL = ["\0", "\x01", "\x1f", "\x7f", "\n", "\t", "\r\n"]


async def refused(bridge: Bridge, tool: str, **arguments: Any) -> InvalidArgument:
    """The refusal of a call of which nothing reached the gateway's ledger."""
    before = len(bridge.control.ledger())
    with pytest.raises(InvalidArgument) as error:
        await bridge.text(tool, **arguments)
    line = str(error.value)
    assert re.fullmatch(r"[A-Z_]+: .+\. Do: .+\. Retry: never\.", line), line
    assert len(line) < 500
    assert "pydantic" not in line
    assert "Traceback" not in line
    assert "http" not in line
    assert len(bridge.control.ledger()) == before
    return error.value


async def test_nulls_mean_left_out_in_every_tool(shared_bridge: Bridge) -> None:
    needed: dict[str, dict[str, Any]] = {
        "get_stock_price": {"symbol": "AAPL"},
        "get_historical_data": {"symbol": "AAPL"},
        "get_option_chain": {"symbol": "AAPL"},
        "search_contracts": {"pattern": "AAPL"},
    }
    for name in ("get_account_summary", "get_positions", "get_orders", *needed):
        nulls: dict[str, Any] = dict.fromkeys(OPERATIONS[name].argument_names)
        assert await shared_bridge.text(name, **nulls | needed.get(name, {}))


async def test_nulls_mean_left_out_in_orders() -> None:
    async with Bridge() as bridge:
        nulls: dict[str, Any] = dict.fromkeys(OPERATIONS["place_limit_order"].argument_names)
        await bridge.call("place_limit_order", **nulls | LIMIT)
        assert (bridge.placed()[0].tif, bridge.placed()[0].account) == ("DAY", "DU1234567")


@pytest.mark.parametrize(
    "spelled",
    [
        {"quantity": "1"}, {"quantity": 1.0}, {"quantity": "1.0"}, {"quantity": " 1 "}, {"limit_price": "100"},
        {"limit_price": "100.00"}, {"limit_price": 1e2}, {"action": "buy"}, {"action": " Buy "}, {"tif": "day"},
        {"symbol": "aapl"}, {"symbol": " AAPL "}, {"currency": "usd"}, {"exchange": "smart"}, {"sec_type": "stk"},
        {"con_id": "265598"}, {"con_id": 265598.0}, {"outside_rth": "false"}, {"account": "du1234567"},
        {"primary_exchange": "nasdaq"},
    ],
    ids=str,
)  # fmt: skip
async def test_one_order_in_every_spelling_is_one_order(shared_bridge: Bridge, spelled: dict[str, Any]) -> None:
    name = f"k-{abs(hash(str(spelled)))}"
    before = len(shared_bridge.placed())
    plain = await shared_bridge.call("place_limit_order", **LIMIT, client_order_id=name)
    assert await shared_bridge.call("place_limit_order", **LIMIT | spelled, client_order_id=name) == plain
    assert len(shared_bridge.placed()) == before + 1
    await shared_bridge.call("cancel_order", order_id=name)


@pytest.mark.parametrize("letter", CONTROL, ids=repr)
@pytest.mark.parametrize(
    ("tool", "argument"),
    [
        ("place_limit_order", "symbol"), ("place_limit_order", "exchange"), ("place_limit_order", "client_order_id"),
        ("place_limit_order", "account"), ("place_limit_order", "primary_exchange"), ("place_limit_order", "currency"),
        ("search_contracts", "pattern"), ("cancel_order", "order_id"), ("get_historical_data", "duration"),
        ("get_historical_data", "cursor"),
    ],
)  # fmt: skip
async def test_a_control_character_never_reaches_the_wire(
    shared_bridge: Bridge, tool: str, argument: str, letter: str
) -> None:
    base: dict[str, Any] = LIMIT if tool.startswith("place") else {}
    if tool == "get_historical_data":
        base = {"symbol": "AAPL"}
    error = await refused(shared_bridge, tool, **base | {argument: f"A{letter}B"})
    assert argument in error.fact
    assert letter not in str(error)


@pytest.mark.parametrize(
    "quantity",
    [0, "0", -1, "-1", "NaN", "nan", "sNaN", "inf", "-Infinity", 1e300, "1e300", "1e-9", "0.000000001", 10_000_001,
     "ten", "", "1,000", True, False, [1], {"n": 1}, "0x10", "9" * 400],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
async def test_a_quantity_that_is_none_is_refused(shared_bridge: Bridge, quantity: object) -> None:
    assert "quantity" in (await refused(shared_bridge, "place_limit_order", **LIMIT | {"quantity": quantity})).fact


@pytest.mark.parametrize("price", [0, -5, "NaN", "Infinity", 1e300, "1e-9", True, "market", 10_000_001, float("nan")])
@pytest.mark.parametrize("name", ["limit_price", "stop_price"])
async def test_a_price_that_is_none_is_refused(shared_bridge: Bridge, name: str, price: object) -> None:
    tool = "place_limit_order" if name == "limit_price" else "place_stop_order"
    order = {key: value for key, value in LIMIT.items() if key != "limit_price"}
    assert name in (await refused(shared_bridge, tool, **order | {name: price})).fact


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("action", "HOLD"), ("action", ""), ("action", 1), ("tif", "FOREVER"), ("outside_rth", "maybe"),
        ("sec_type", "STOCK"), ("currency", "US Dollar"), ("currency", "$"), ("con_id", 0), ("con_id", -1),
        ("con_id", 2**31), ("con_id", True), ("con_id", 1.5), ("con_id", "abc"), ("account", "x"),
        ("account", "DU 1234567"), ("client_order_id", "12345"), ("client_order_id", ""), ("client_order_id", "a b"),
        ("client_order_id", "x" * 65), ("symbol", "X" * 41), ("exchange", "X" * 21),
    ],
)  # fmt: skip
async def test_a_wrong_argument_is_named(shared_bridge: Bridge, argument: str, value: object) -> None:
    assert argument in (await refused(shared_bridge, "place_limit_order", **LIMIT | {argument: value})).fact


async def test_every_mistake_is_named_at_once(shared_bridge: Bridge) -> None:
    error = await refused(shared_bridge, "place_limit_order", symbol="AAPL", action="HOLD", quantity=-1, limitprice=1)
    for name in ("action", "quantity", "limit_price", "limitprice"):
        assert name in error.fact
    assert "limit_price" in error.action


async def test_neither_symbol_nor_con_id_is_refused(shared_bridge: Bridge) -> None:
    error = await refused(shared_bridge, "get_stock_price")
    assert "symbol or con_id" in error.fact


@pytest.mark.parametrize("size", ["1 minute", "7 mins", "1h", "daily", "", 5, "1 DAYS", "90 secs"])
async def test_a_wrong_bar_size_lists_the_right_ones(shared_bridge: Bridge, size: object) -> None:
    if size == "1 DAYS":
        assert await shared_bridge.text("get_historical_data", symbol="AAPL", bar_size=size)
        return
    error = await refused(shared_bridge, "get_historical_data", symbol="AAPL", bar_size=size)
    for right in BAR_SIZES:
        assert right in str(error)


@pytest.mark.parametrize("written", ["1min", "1 MIN", "1 mins", "5mins", "5 min", "1hour", "1 Day", "1day"])
async def test_a_bar_size_is_understood_in_every_usual_spelling(shared_bridge: Bridge, written: str) -> None:
    bars = await shared_bridge.call("get_historical_data", symbol="AAPL", bar_size=written, duration="1 D")
    assert bars.bar_size in BAR_SIZES


@pytest.mark.parametrize("duration", ["1", "D", "0 D", "-1 D", "1 fortnight", "1.5 D", "", "999999 D", "1 D 2 H", 5])
async def test_a_wrong_duration_shows_right_ones(shared_bridge: Bridge, duration: object) -> None:
    error = await refused(shared_bridge, "get_historical_data", symbol="AAPL", duration=duration)
    assert "3 M" in str(error)


@pytest.mark.parametrize("written", ["1 D", "1d", "1 day", "1DAYS", " 1  D "])
async def test_a_duration_is_understood_in_every_usual_spelling(shared_bridge: Bridge, written: str) -> None:
    assert await shared_bridge.text("get_historical_data", symbol="AAPL", duration=written)


@pytest.mark.parametrize(
    ("end", "hint"),
    [
        ("2026-11-20T16:00:00", "time zone"), ("2026-11-20", "time zone"), ("tomorrow", "2026-11-20T16:00:00Z"),
        ("20261120-16:00:00", ""), (1763568000, "2026-11-20T16:00:00Z"), ("", "2026-11-20T16:00:00Z"),
        ("0001-01-01T00:00:00+14:00", "years"), ("9999-12-31T23:59:59-14:00", "years"),
        ("2026-02-30T00:00:00Z", "2026-11-20T16:00:00Z"),
    ],
)  # fmt: skip
async def test_a_time_that_could_mean_two_is_refused_with_an_example(
    shared_bridge: Bridge, end: object, hint: str
) -> None:
    assert hint in (await refused(shared_bridge, "get_historical_data", symbol="AAPL", end=end)).fact


@pytest.mark.parametrize("tool", [name for name, tool in OPERATIONS.items() if tool.marker.answered_by == "worker"])
async def test_an_argument_of_no_tool_is_refused_with_those_that_are(shared_bridge: Bridge, tool: str) -> None:
    error = await refused(shared_bridge, tool, confirm=True)
    assert "confirm is not an argument" in error.fact
    for name in OPERATIONS[tool].argument_names:
        assert name in error.action


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "9" * 10, "٣", ""])
@pytest.mark.parametrize("tool", ["get_positions", "get_orders"])
async def test_a_cursor_not_made_here_is_refused(shared_bridge: Bridge, tool: str, cursor: str) -> None:
    assert "cursor" in (await refused(shared_bridge, tool, cursor=cursor)).fact


@pytest.mark.parametrize("symbol", ["AAPL;MSFT", "🚀", "' OR 1=1", "../..", "<b>", "%00", "SP\u2028Y", "ÀÁ"])
async def test_a_strange_symbol_is_no_contract_and_harms_nothing(shared_bridge: Bridge, symbol: str) -> None:
    with pytest.raises(BridgeError) as error:
        await shared_bridge.text("get_stock_price", symbol=symbol)
    assert error.value.code in {"UNKNOWN_CONTRACT", "INVALID_ARGUMENT"}
    assert (await shared_bridge.call("get_stock_price", symbol="AAPL")).last is not None
