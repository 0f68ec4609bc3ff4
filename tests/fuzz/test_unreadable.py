"""A list that lost a message never looks complete, and an answer of the wrong kind is nobody's answer."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

import pytest

from simulated_gateway import GatewayConfig
from simulated_gateway.sessions.connection import Sink

from .hostile_gateway import HostileSink, frame
from .lone_worker import LoneWorker

Edit = Callable[[list[bytes]], list[bytes]]
"""A message's fields as the worker shall get them instead."""

CONTRACT, POSITION, OPEN_ORDER, EXECUTION, SYMBOLS, BARS = b"10", b"61", b"5", b"11", b"79", b"17"
ORDER: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 1}


class Editor:
    """Stands between the gateway and the worker; edits what one kind of message says."""

    def __init__(self) -> None:
        self.kind = b""
        self.edit: Edit = list
        self.once = False

    def through(self, sink: Sink) -> Sink:
        """The gateway's way out."""
        editor = self

        class Edited(HostileSink):
            def _one(self, whole: bytes) -> bytes:
                fields = whole[4:].split(b"\0")[:-1]
                if fields[0] != editor.kind:
                    return whole
                if editor.once:
                    editor.kind = b""
                return frame(editor.edit(fields))

        return Edited(sink, random.Random(0), 0, breaks_framing=0)

    def spoil(self, kind: bytes, *, once: bool = False) -> None:
        """Cut every message of a kind, or the next one, in the middle."""
        self.kind, self.edit, self.once = kind, lambda fields: fields[: len(fields) // 2], once


@pytest.fixture
def editor() -> Editor:
    return Editor()


def at_work(editor: Editor) -> LoneWorker:
    """A worker behind the editor, whose gateway is quiet."""
    return LoneWorker(GatewayConfig(market_moves=False), editor.through)


def test_a_holding_that_cannot_be_read_is_missed_and_the_others_are_served(
    editor: Editor, caplog: pytest.LogCaptureFixture
) -> None:
    editor.kind, editor.edit = POSITION, lambda fields: [b"3x0.55" if field == b"310.55" else field for field in fields]
    caplog.set_level(logging.ERROR)
    with at_work(editor) as lone:
        lone.run(lone.ready())
        positions, profit = (lone.run(lone.ask(name))["result"] for name in ("get_positions", "get_pnl"))
    assert sorted(row["symbol"] for row in positions["items"]) == ["AAPL", "SAP", "TSLA"]
    assert positions["note"] == profit["note"] == "incomplete: a holding that the gateway listed could not be read"
    assert "MSFT" in caplog.text


def test_a_change_of_a_holding_that_cannot_be_read_has_all_read_anew(editor: Editor) -> None:
    with at_work(editor) as lone:
        lone.run(lone.ready())
        editor.spoil(POSITION, once=True)
        lone.run(lone.ask("place_market_order", **ORDER, client_order_id="bought"))
        lone.run(asyncio.sleep(1))
        positions = lone.run(lone.ask("get_positions"))["result"]
    assert [row["quantity"] for row in positions["items"] if row["symbol"] == "AAPL"] == [101]
    assert positions["note"] is None


@pytest.mark.parametrize(
    ("kind", "name", "arguments"),
    [
        (CONTRACT, "get_contract_details", {"symbol": "MSFT"}),
        (CONTRACT, "get_stock_price", {"symbol": "MSFT"}),
        (SYMBOLS, "search_contracts", {"pattern": "AAP"}),
        (BARS, "get_historical_data", {"symbol": "MSFT"}),
        (b"75", "get_option_chain", {"symbol": "KO"}),
        (b"63", "get_account_summary", {}),
        (EXECUTION, "get_executions", {}),
    ],
)
def test_an_answer_with_a_part_that_cannot_be_read_is_refused_and_may_be_asked_again(
    editor: Editor, kind: bytes, name: str, arguments: dict[str, Any]
) -> None:
    with at_work(editor) as lone:
        lone.run(lone.ready())
        lone.run(lone.ask("place_market_order", **ORDER, client_order_id="filled"))
        editor.spoil(kind, once=True)
        refused = lone.run(lone.ask(name, **arguments))
        editor.kind = b""
        again = lone.run(lone.ask(name, **arguments))
    assert (refused["error"]["code"], refused["error"]["retry"]) == ("UNREADABLE_ANSWER", "now")
    assert "result" in again


@pytest.mark.parametrize(
    ("at", "text"), [(5, b"U9999999"), (5, b"99999999999999999999999"), (6, b"nan"), (9, b"1e400")]
)
def test_a_bar_without_its_time_or_a_price_is_refused_and_never_shown_as_zero(
    editor: Editor, at: int, text: bytes
) -> None:
    with at_work(editor) as lone:
        lone.run(lone.ready())
        editor.kind, editor.edit, editor.once = BARS, lambda fields: [*fields[:at], text, *fields[at + 1 :]], True
        refused = lone.run(lone.ask("get_historical_data", symbol="AAPL"))
        again = lone.run(lone.ask("get_historical_data", symbol="AAPL"))
    assert refused["error"]["code"] == "UNREADABLE_ANSWER"
    assert "result" in again


def test_an_order_that_cannot_be_read_is_said_to_be_missing_and_is_never_called_unknown(editor: Editor) -> None:
    with at_work(editor) as lone:
        lone.run(lone.ready())
        lone.run(lone.ask("place_limit_order", **ORDER, limit_price=100, client_order_id="rests"))
        perm_id = lone.gateway.control.orders()[0].perm_id
        editor.spoil(OPEN_ORDER)
        listed = lone.run(lone.ask("get_orders"))["result"]
        cancelled = lone.run(lone.ask("cancel_order", order_id="perm:4711"))
        editor.kind = b""
        found = lone.run(lone.ask("cancel_order", order_id=f"perm:{perm_id}"))["result"]
    assert listed["note"] == "incomplete: one of the open orders could not be read"
    assert cancelled["error"]["code"] == "UNREADABLE_ANSWER"
    assert found["status"] == "Cancelled"


def test_a_frame_without_any_kind_spoils_every_answer_under_way(editor: Editor) -> None:
    with at_work(editor) as lone:
        lone.run(lone.ready())
        editor.kind, editor.edit, editor.once = CONTRACT, lambda fields: [b"", *fields[1:]], True
        refused = lone.run(lone.ask("get_contract_details", symbol="AAPL"))
    assert refused["error"]["code"] == "UNREADABLE_ANSWER"


def test_an_answer_of_another_kind_is_dropped(editor: Editor, caplog: pytest.LogCaptureFixture) -> None:
    """What belongs to no answer that is waited for, under the id of one that is."""
    caplog.set_level(logging.ERROR)

    def as_account_value(fields: list[bytes]) -> list[bytes]:
        return [b"63", b"1", fields[1], b"DU1234567", b"NetLiquidation", b"1", b"USD"]

    with at_work(editor) as lone:
        lone.run(lone.ready())
        editor.kind, editor.edit = CONTRACT, as_account_value
        answer = lone.run(lone.ask("get_contract_details", symbol="AAPL"))
    assert answer["error"]["code"] == "UNKNOWN_CONTRACT"
    assert "about contracts with account values: dropped" in caplog.text
