"""Bad input is answered in our own words on every wire, and never reaches the worker."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from shared.contract import arguments as contract_arguments
from shared.contract.explain import SHAPES
from tests.frontend.conftest import Served, legacy_call, modern_call, modern_headers, text_of
from tests.frontend.standin import StandInWorker

FOREIGN = (
    "traceback",
    "pydantic",
    "http://",
    "https://",
    "errors.",
    "validation error",
    "input_value",
    ".py",
    "jsonrpcmessage",
)
"""What must never stand in an answer."""

LIMIT = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 1}

MISTAKES: dict[str, tuple[str, dict[str, Any], str]] = {
    "an unknown argument": ("get_positions", {"acount": "DU1234567"}, "acount is not an argument of get_positions"),
    "nothing at all": ("place_limit_order", {}, "action is required; quantity is required; limit_price is required"),
    "a negative quantity": ("place_limit_order", {**LIMIT, "quantity": -1}, "quantity must be greater than 0 (got -1)"),
    "an absurd quantity": ("place_limit_order", {**LIMIT, "quantity": 1e30}, "quantity must be at most 10000000"),
    "an infinite price": ("place_limit_order", {**LIMIT, "limit_price": "Infinity"}, "must be a finite number"),
    "a price that is none": ("place_limit_order", {**LIMIT, "limit_price": "NaN"}, "must be a finite number"),
    "a truth as a number": ("place_limit_order", {**LIMIT, "quantity": True}, "must be a number, not true or false"),
    "a wrong bar size": ("get_historical_data", {"symbol": "A", "bar_size": "7 mins"}, "must be one of: 1 secs, "),
    "a wrong duration": ("get_historical_data", {"symbol": "A", "duration": "1 hour"}, "60 S (seconds), 1 D, 2 W"),
    "a time without a zone": ("get_historical_data", {"symbol": "A", "end": "2026-11-20"}, "must say its time zone"),
    "no contract": ("get_stock_price", {}, "symbol or con_id is needed"),
    "a nested symbol": ("get_stock_price", {"symbol": [[["AAPL"]]]}, "symbol must be text"),
    "a control character": ("get_stock_price", {"symbol": "A\u0000B"}, "symbol has a control character"),
    "a long text": ("search_contracts", {"pattern": "x" * 15_000}, "pattern must have at most 60 characters"),
    "too much": ("search_contracts", {"pattern": "x" * 200_000}, "at most 16000 are read"),
    "a name of a tool that is not there": ("get_stock_prices", {}, "Do: call get_stock_price."),
    "a name of nothing": ("🦆", {}, "Do: use one of get_account_summary, "),
    "all as an account": ("get_positions", {"account": "all"}, "account must be an account number, such as U1234567"),
    "a bare number as an order's name": (
        "place_limit_order", {**LIMIT, "client_order_id": "123"}, "client_order_id must be letters, digits",
    ),
}  # fmt: skip


def test_every_pattern_of_the_contract_has_words() -> None:
    used = re.findall(r'pattern=r"([^"]+)"', Path(contract_arguments.__file__).read_text(encoding="utf-8"))
    assert set(used) == SHAPES.keys()


async def test_a_mistake_is_named_in_one_short_line(served: Served, worker: StandInWorker) -> None:
    async with served.client() as client:
        for mistake, (tool, arguments, told) in MISTAKES.items():
            result = await client.call_tool(tool, arguments, raise_on_error=False)
            line = text_of(result)
            assert result.is_error, mistake
            assert told in line, mistake
            assert line.startswith("INVALID_ARGUMENT: "), mistake
            assert line.endswith(" Retry: never."), mistake
            assert len(line) < 500, mistake
            assert not any(word in line.lower() for word in FOREIGN), mistake
    assert worker.envelopes == []


def deep(levels: int) -> str:
    call = json.dumps(modern_call("get_stock_price", {"symbol": "HERE"}))
    return call.replace('"HERE"', "[" * levels + "]" * levels)


BODIES: dict[str, object] = {
    "a list for arguments": modern_call("get_stock_price", [1, 2]),
    "text for arguments": modern_call("get_stock_price", '{"symbol": "AAPL"}'),
    "a number for arguments": modern_call("get_stock_price", 5),
    "deep junk": deep(150),
    "very deep junk": deep(600),
    "bottomless junk": deep(100_000),
    "half a character": json.dumps(modern_call("get_stock_price", {"symbol": "~"})).replace("~", "\\ud800"),
    "a number beyond all": json.dumps(modern_call("search_contracts", {"pattern": 0})).replace(": 0}", ": 1e999}"),
    "no JSON": "{nope",
    "nothing": "",
    "a bare number": "5",
    "a batch": [modern_call("get_positions", {})],
    "parameters as a list": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": [1]},
    "no parameters": {"jsonrpc": "2.0", "id": 1, "method": "tools/call"},
    "a foreign method": {"jsonrpc": "2.0", "id": 1, "method": "no/such", "params": {}},
    "more than is read": modern_call("get_stock_price", {"symbol": "A" * 5_000_000}),
}  # fmt: skip


@pytest.mark.parametrize("generation", ["modern", "legacy"])
async def test_a_malformed_request_gets_a_clean_error(served: Served, worker: StandInWorker, generation: str) -> None:
    headers = modern_headers("get_stock_price") if generation == "modern" else {}
    for body, content in BODIES.items():
        response = await served.post(content, **headers)
        assert response.status_code in {200, 400, 413}, body
        assert "rror" in response.text or response.status_code == 413, body
        assert not any(word in response.text.lower() for word in FOREIGN), body
        assert len(response.text) < 1_000, body
    assert worker.envelopes == []
    assert 'isError":false' in (await served.post(legacy_call("get_positions", {}))).text


async def test_arguments_that_are_no_object_are_explained(served: Served) -> None:
    for arguments in ([1], "{}", 5, True):
        legacy = await served.post(legacy_call("get_positions", arguments))
        modern = await served.post(modern_call("get_positions", arguments), **modern_headers("get_positions"))
        for response in (legacy, modern):
            assert "Do: send one JSON object" in response.text
            assert '"isError":true' in response.text


async def test_meta_that_is_no_object_is_a_clean_protocol_error(served: Served) -> None:
    call = legacy_call("get_positions", {})
    call["params"]["_meta"] = [1]
    response = await served.post(call)
    assert "INVALID_ARGUMENT: the parameters of tools/call are malformed." in response.text


async def test_a_cursor_for_tools_that_is_no_text_is_a_clean_protocol_error(served: Served) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": 5}}
    assert "the parameters of tools/list are malformed" in (await served.post(body)).text
