"""What every client must be able to do: all tools, over two doors that share nothing but the worker behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from shared.contract import OPERATIONS

from .doors import Door

AAPL = 265598
ACCOUNT = "DU1234567"
TRADING = {name for name, operation in OPERATIONS.items() if operation.marker.destructive}

Answer = dict[str, Any]


class Story:
    """Calls by turns through two doors, and remembers which tools were called."""

    def __init__(self, doors: tuple[Door, Door], schemas: Mapping[str, Any]) -> None:
        self._doors = doors
        self._schemas = schemas
        self._calls = 0
        self.called: set[str] = set()

    @classmethod
    async def begun(cls, first: Door, second: Door) -> Story:
        """Both doors show the same tools, all of them, with everything a host goes by."""
        tools = await first.tools()
        assert tools == await second.tools()
        assert [tool["name"] for tool in tools] == list(OPERATIONS)
        for tool in tools:
            hints = tool["annotations"]
            assert hints["readOnlyHint"] is (tool["name"] not in TRADING)
            assert hints["destructiveHint"] is (tool["name"] in TRADING)
            assert tool["inputSchema"] == OPERATIONS[tool["name"]].input_schema
            Draft202012Validator.check_schema(tool["outputSchema"])
        return cls((first, second), {tool["name"]: tool["outputSchema"] for tool in tools})

    async def ask(self, tool: str, **arguments: Any) -> Answer:
        """The next door's answer: the same in text and structure, and as its schema says."""
        door = self._doors[self._calls % 2]
        self._calls += 1
        self.called.add(tool)
        told = await door.call(tool, arguments)
        assert not told.is_error, f"{tool}: {told.text}"
        assert told.structured is not None
        assert json.loads(told.text) == told.structured
        Draft202012Validator(self._schemas[tool]).validate(told.structured)
        return told.structured

    async def refusal(self, tool: str, **arguments: Any) -> str:
        """The next door's error."""
        door = self._doors[self._calls % 2]
        self._calls += 1
        told = await door.call(tool, arguments)
        assert told.is_error, told.text
        assert len(told.text) < 500
        return told.text


async def every_tool(story: Story, name: str) -> None:
    """All of it; `name` keeps one client's orders apart from another's."""
    await looking(story)
    await trading(story, name)
    await mistakes(story)
    assert story.called == set(OPERATIONS)


async def looking(story: Story) -> None:
    """The tools that only read."""
    status = await story.ask("get_status")
    assert (status["ready"], status["worker"]["accounts"]) == (True, [ACCOUNT])
    summary = await story.ask("get_account_summary")
    assert summary["net_liquidation"]["currency"] == summary["base_currency"] == "USD"
    assert {amount["currency"] for amount in summary["cash_by_currency"]} == {"USD", "EUR"}
    positions = await story.ask("get_positions", account=ACCOUNT)
    assert {"AAPL", "MSFT", "SAP", "TSLA"} <= {row["symbol"] for row in positions["items"]}
    price = await story.ask("get_stock_price", symbol="aapl")
    assert price["con_id"] == AAPL
    assert price["data_kind"] in {"live", "frozen"}  # by day and by night
    assert 0 < price["bid"] <= price["ask"]
    assert (await story.ask("get_stock_price", con_id=str(AAPL)))["bid"] == price["bid"]
    bars = await story.ask("get_historical_data", symbol="AAPL", duration="5 D", bar_size="1 day")
    assert 4 <= bars["count"] <= 5
    assert [bar["date"] for bar in bars["items"]] == sorted(bar["date"] for bar in bars["items"])
    chains = await story.ask("get_option_chain", symbol="AAPL")
    smart = next(chain for chain in chains["items"] if chain["exchange"] == "SMART")
    near = await story.ask("get_option_chain", symbol="AAPL", expiration=smart["expirations"][2])
    assert all(0 < len(chain["strikes"]) <= 20 for chain in near["items"])
    quoted = await story.ask("get_option_quotes", symbol="AAPL", expiration=smart["expirations"][2], strikes=2)
    assert [(row["right"], row["delta"] is not None) for row in quoted["items"]] == [("C", True), ("P", True)] * 2
    quotes = await story.ask("get_quotes", symbols=["AAPL", "MSFT", "NOSUCH"])
    assert ([row["symbol"] for row in quotes["items"]], len(quotes["failed"])) == (["AAPL", "MSFT"], 1)
    futures = await story.ask("get_contract_details", symbol="ES", sec_type="FUT")
    assert len({row["expiry"] for row in futures["items"]}) == futures["count"] > 1
    pnl = await story.ask("get_pnl", con_id=AAPL)
    assert (pnl["accounts"][0]["currency"], [row["symbol"] for row in pnl["items"]]) == ("USD", ["AAPL"])
    found = await story.ask("search_contracts", pattern="AAP")
    assert AAPL in [candidate["con_id"] for candidate in found["items"]]


async def trading(story: Story, name: str) -> None:
    """Placed at one door, seen and cancelled at the other."""
    order = {"symbol": "AAPL", "action": "BUY", "quantity": 1}
    limit = await story.ask("place_limit_order", **order, limit_price=100, client_order_id=f"{name}-limit")
    assert (limit["status"], limit["state"], limit["filled"]) == ("Submitted", "WORKING", 0)
    assert (await listed(story, limit))["client_order_id"] == f"{name}-limit"
    again = await story.ask("place_limit_order", **order, limit_price=100, client_order_id=f"{name}-limit")
    assert (again["perm_id"], again["order_id"]) == (limit["perm_id"], limit["order_id"])
    changed = await story.ask("modify_order", order=f"{name}-limit", limit_price="99.5")
    assert (changed["perm_id"], changed["limit_price"]) == (limit["perm_id"], 99.5)
    told = await story.ask("get_order", order=f"perm:{limit['perm_id']}")
    assert (told["client_order_id"], told["state"]) == (f"{name}-limit", "WORKING")
    assert (await story.ask("cancel_order", order_id=f"{name}-limit"))["status"] == "Cancelled"
    over = await story.ask("wait_for_order", order=f"{name}-limit", timeout=10)
    assert (over["state"], over["limit_price"]) == ("CANCELLED", 99.5)
    assert [step["event"] for step in over["history"]][:2] == ["asked for", "begun"]
    assert (await listed(story, limit))["state"] == "CANCELLED"
    stop = await story.ask(
        "place_stop_order", symbol="AAPL", action="sell", quantity="1", stop_price="90", client_order_id=f"{name}-stop"
    )
    assert (stop["status"], stop["state"], stop["stop_price"]) == ("PreSubmitted", "WORKING", 90)
    assert (await story.ask("cancel_order", order_id=f"perm:{stop['perm_id']}"))["status"] == "Cancelled"
    market = await story.ask("place_market_order", **order, client_order_id=f"{name}-market")
    assert (market["status"], market["state"], market["filled"]) == ("Filled", "FILLED", 1)
    assert market["avg_fill_price"] > 0
    assert (await listed(story, market))["state"] == "FILLED"
    fills = await story.ask("get_executions", symbol="aapl")
    assert market["perm_id"] in {fill["perm_id"] for fill in fills["items"]}
    assert (await story.ask("cancel_order", order_id=f"{name}-nothing"))["status"] == "NOT_FOUND"


async def listed(story: Story, placed: Answer) -> Answer:
    """The order as `get_orders` has it."""
    orders = await story.ask("get_orders")
    (found,) = [order for order in orders["items"] if order["perm_id"] == placed["perm_id"]]
    return dict(found)


async def mistakes(story: Story) -> None:
    """Errors reach the client as one line that says what to do."""
    assert (await story.refusal("get_stock_price", symbol="NOSUCH")).startswith("UNKNOWN_CONTRACT: ")
    assert (await story.refusal("get_stock_price", symbol="SHOP", currency="XXX", colour="red")).startswith(
        "INVALID_ARGUMENT: colour is not an argument"
    )
