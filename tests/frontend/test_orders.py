"""Orders are refused where they must be, and never end in an error that hides their fate."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mcp_frontend.callers import Caller
from shared.contract import OPERATIONS, Scope
from shared.contract.operation import Effect
from shared.errors import GatewayRefused, Internal, OrderUnresolved, TimedOut
from tests.frontend.conftest import Served, content_of, serve, text_of
from tests.frontend.standin import StandInWorker, stand_in_worker
from tests.frontend.test_answers import ARGUMENTS

TRADING = [name for name, operation in OPERATIONS.items() if operation.marker.effect is Effect.TRADES]
PLACING = [name for name in TRADING if name.startswith("place_")]


def unnamed(tool: str) -> dict[str, Any]:
    return {key: value for key, value in ARGUMENTS[tool].items() if key != "client_order_id"}


async def test_under_readonly_an_order_is_answered_rejected_with_the_reason(
    readonly: Served, worker: StandInWorker
) -> None:
    async with readonly.client() as client:
        answers = {tool: content_of(await client.call_tool(tool, ARGUMENTS[tool])) for tool in TRADING}
    assert worker.envelopes == []
    for answer in answers.values():
        assert answer["status"] == "REJECTED"
        assert "READONLY" in answer["message"]
    for answer in [answers[tool] for tool in PLACING]:
        assert (answer["state"], answer["may_resubmit"]) == ("REJECTED", False)
        assert "Nothing was sent" in answer["next_step"]
        assert (answer["symbol"], answer["action"], answer["quantity"]) == ("AAPL", "BUY", 5)


async def test_under_readonly_a_wrong_order_is_still_a_wrong_order(readonly: Served) -> None:
    result = await readonly.call("place_limit_order", {**ARGUMENTS["place_limit_order"], "quantity": 0})
    assert text_of(result).startswith("INVALID_ARGUMENT: quantity must be greater than 0")


async def test_under_readonly_everything_else_works(readonly: Served, worker: StandInWorker) -> None:
    for tool in set(OPERATIONS) - set(TRADING):
        content_of(await readonly.call(tool, ARGUMENTS[tool]))


async def test_an_order_without_a_name_gets_one_before_it_leaves(served: Served, worker: StandInWorker) -> None:
    async with served.client() as client:
        answers = [
            content_of(await client.call_tool(tool, {**unnamed(tool), "client_order_id": None})) for tool in PLACING * 2
        ]
    names = [envelope.arguments["client_order_id"] for envelope in worker.envelopes]
    assert names == [answer["client_order_id"] for answer in answers]
    assert len(set(names)) == len(PLACING) * 2
    assert all(name.startswith("a-") and len(name) < 25 for name in names)


async def test_an_orders_own_name_is_kept(served: Served, worker: StandInWorker) -> None:
    await served.call("place_market_order", ARGUMENTS["place_market_order"])
    assert worker.envelopes[0].arguments["client_order_id"] == "mine-1"


@pytest.mark.parametrize("error", [OrderUnresolved("not known yet"), TimedOut("late"), Internal("broken")])
async def test_an_order_whose_fate_is_unknown_is_no_failure_but_a_handle(
    served: Served, worker: StandInWorker, error: Exception
) -> None:
    async def lose(*_: object) -> str:
        raise error

    worker.answer = lose
    async with served.client() as client:
        answers = [content_of(await client.call_tool(tool, unnamed(tool))) for tool in PLACING]
    for answer, envelope in zip(answers, worker.envelopes, strict=True):
        assert (answer["status"], answer["state"], answer["may_resubmit"]) == ("UNKNOWN", "UNKNOWN", False)
        assert answer["client_order_id"] == envelope.arguments["client_order_id"]
        assert answer["client_order_id"] in answer["next_step"]
        assert "get_orders" in answer["next_step"]
        assert answer["filled"] is None


async def test_a_cancellation_whose_fate_is_unknown_is_no_failure(served: Served, worker: StandInWorker) -> None:
    async def lose(*_: object) -> str:
        raise OrderUnresolved("not known yet")

    worker.answer = lose
    answer = content_of(await served.call("cancel_order", {"order_id": "perm:42"}))
    assert (answer["status"], answer["perm_id"], answer["order_id"]) == ("UNKNOWN", 42, None)
    assert (answer["state"], answer["filled"]) == ("UNKNOWN", None)
    assert "get_orders" in answer["next_step"]


async def test_an_order_whose_answer_is_unreadable_is_unknown(served: Served, worker: StandInWorker) -> None:
    async def garbled(*_: object) -> str:
        return '{"result":{"half'

    worker.answer = garbled
    answer = content_of(await served.call("place_market_order", ARGUMENTS["place_market_order"]))
    assert answer["state"] == "UNKNOWN"
    assert "half" not in answer["message"]


async def test_an_order_the_gateway_refused_is_that_error(served: Served, worker: StandInWorker) -> None:
    async def refuse(*_: object) -> str:
        raise GatewayRefused("no margin")

    worker.answer = refuse
    assert text_of(await served.call("place_market_order", ARGUMENTS["place_market_order"])).startswith(
        "GATEWAY_REFUSED: no margin."
    )


async def test_an_order_no_worker_began_is_expired_and_may_be_placed_again(
    valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_frontend.calls.PATIENCE", 1.3)  # a deadline 0.3 s from now
    async with stand_in_worker(valkey, trade_slots=0) as worker, serve(valkey) as served:
        placed, result = await asyncio.gather(
            served.call("place_market_order", ARGUMENTS["place_market_order"]),
            served.call("cancel_order", {"order_id": 7}),
        )
        answer = content_of(placed)
        assert (answer["state"], answer["may_resubmit"]) == ("EXPIRED", True)
        assert text_of(result).startswith("TIMEOUT: ")
        assert "certainly nothing was sent" in text_of(result)
        assert worker.envelopes == []


async def test_an_order_the_worker_holds_past_its_deadline_is_unknown(
    served: Served, worker: StandInWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_frontend.calls.PATIENCE", 1.3)
    held = asyncio.Event()

    async def hold(*_: object) -> str:
        await held.wait()
        raise OrderUnresolved("too late")

    worker.answer = hold
    answer = content_of(await served.call("place_market_order", ARGUMENTS["place_market_order"]))
    held.set()
    assert (answer["state"], answer["may_resubmit"]) == ("UNKNOWN", False)
    assert answer["client_order_id"] == "mine-1"


@pytest.mark.parametrize("lacking", [Scope.READ, Scope.TRADE])
async def test_a_caller_without_the_scope_is_refused(valkey: str, lacking: Scope) -> None:
    caller = Caller(name="somebody", scopes=frozenset(Scope) - {lacking})
    needing = [name for name, operation in OPERATIONS.items() if operation.marker.effect.scope is lacking]
    async with serve(valkey, identify=lambda: caller) as served, served.client() as client:
        for tool in needing:
            line = text_of(await client.call_tool(tool, ARGUMENTS[tool], raise_on_error=False))
            assert line.startswith(f"NOT_PERMITTED: {tool} needs the scope {lacking}, which somebody does not have.")
