"""Every call that trades and reaches the worker has one entry in the audit, whatever came of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared import audit
from shared.audit import Audit, Decision
from shared.contract import Scope
from shared.contract.orders import OrderState
from shared.errors import BridgeError
from shared.order_records import OrderRecords, order_key
from shared.redis_store import RedisAway, Store

from .harness import Bridge, eventually, until

LIMIT: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 10, "limit_price": 100, "client_order_id": "k"}
KEY = order_key("local", "k")

Entry = dict[str, str]


async def entries(bridge: Bridge) -> list[Entry]:
    return await Audit(Store(bridge.redis), bridge.keys).read(since=None, most=1000)


async def outcomes(bridge: Bridge) -> list[tuple[str, str, str]]:
    return [(entry["by"], entry["operation"], entry["outcome"]) for entry in await entries(bridge)]


async def attempt(bridge: Bridge, tool: str, **arguments: Any) -> None:
    """A call, whatever comes of it."""
    try:
        await bridge.text(tool, **arguments)
    except BridgeError:
        return


async def test_each_way_a_call_can_end_has_one_entry_with_the_caller_and_what_was_asked(bridge: Bridge) -> None:
    bridge.control.refuse_next_order(201, "no")
    await attempt(bridge, "place_limit_order", **LIMIT | {"client_order_id": "refused"})
    await attempt(bridge, "place_limit_order", **LIMIT)
    await attempt(bridge, "place_limit_order", **LIMIT)
    await attempt(bridge, "place_limit_order", **LIMIT | {"quantity": 11})
    await attempt(bridge, "place_limit_order", **LIMIT | {"client_order_id": "off", "limit_price": "100.001"})
    await attempt(bridge, "modify_order", order="k", limit_price=99)
    await attempt(bridge, "cancel_order", order_id="k")
    await attempt(bridge, "cancel_order", order_id="nobody")
    await attempt(bridge, "modify_order", order="k", limit_price=98)
    assert [(operation, outcome) for _, operation, outcome in await outcomes(bridge)] == [
        ("place_limit_order", "REJECTED"),
        ("place_limit_order", "WORKING"),
        ("place_limit_order", "WORKING"),
        ("place_limit_order", "KEY_REUSED"),
        ("place_limit_order", "INVALID_ARGUMENT"),
        ("modify_order", "WORKING"),
        ("cancel_order", "CANCELLED"),
        ("cancel_order", "NOT_FOUND"),
        ("modify_order", "INVALID_ARGUMENT"),
    ]
    assert [entry["key"] for entry in (await entries(bridge))[5:8]] == [KEY, KEY, ""]
    second = (await entries(bridge))[1]
    assert (second["by"], second["caller"], second["key"]) == ("worker", "local", KEY)
    assert '"quantity": 10' in second["arguments"]
    assert await bridge.redis.hlen(bridge.keys.audit_due) == 0


async def test_a_duplicate_held_back_and_an_order_in_the_way_of_an_unknown_one_have_their_entries() -> None:
    async with Bridge(duplicate_window_seconds=600) as bridge:
        await attempt(bridge, "place_limit_order", **LIMIT)
        await attempt(bridge, "place_limit_order", **LIMIT | {"client_order_id": "l"})
        assert [outcome for *_, outcome in await outcomes(bridge)] == ["WORKING", "REJECTED"]


async def test_a_job_that_came_too_late_or_without_the_scope_or_unsigned_has_its_entry() -> None:
    async with Bridge(job_signing_secret="a secret of the tests") as bridge:
        past = int((datetime.now(UTC) - timedelta(seconds=1)).timestamp() * 1000)
        await bridge.put(bridge.envelope("place_limit_order", arguments=LIMIT, deadline_ms=past))
        await bridge.put(bridge.envelope("place_limit_order", arguments=LIMIT, scopes=frozenset({Scope.READ})))
        await bridge.put(bridge.envelope("place_limit_order", arguments=LIMIT), secret="another secret entirely")
        assert [outcome for *_, outcome in await outcomes(bridge)] == ["EXPIRED", "NOT_PERMITTED", "UNSIGNED_JOB"]
        assert [entry["caller"] for entry in await entries(bridge)] == ["local", "local", ""], (
            "a forger's name is no name"
        )


async def test_under_readonly_each_call_has_its_entry() -> None:
    async with Bridge(readonly=True) as bridge:
        await attempt(bridge, "place_limit_order", **LIMIT)
        await attempt(bridge, "cancel_order", order_id="1")
        assert [operation for _, operation, _ in await outcomes(bridge)] == ["place_limit_order", "cancel_order"]


async def test_queries_have_none(bridge: Bridge) -> None:
    await attempt(bridge, "get_positions")
    await attempt(bridge, "get_orders", account="U999")
    assert await outcomes(bridge) == []


async def test_an_order_lost_sight_of_and_found_again_has_the_calls_entry_and_the_truths(bridge: Bridge) -> None:
    bridge.control.forget_next("place")
    asking = asyncio.create_task(bridge.call("place_limit_order", **LIMIT))
    await until(lambda: len(bridge.placed()) == 1)
    bridge.control.refuse_connections()
    bridge.control.drop_links()
    assert (await asking).state is OrderState.UNKNOWN
    await bridge.control.accept_connections()
    await bridge.ready()
    told = await eventually(lambda: outcomes(bridge), lambda found: len(found) == 2)
    assert [(by, outcome) for by, _, outcome in told] == [("worker", "UNKNOWN"), ("reconciliation", "WORKING")]
    assert {(entry["caller"], entry["key"]) for entry in await entries(bridge)} == {("local", KEY)}


@pytest.mark.parametrize("filled", [False, True])
async def test_an_order_whose_worker_died_before_its_entry_gets_it_from_the_next_worker(
    bridge: Bridge, filled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed_before:
        killed_before.setattr(audit, "entry", lambda *_: ())
        await attempt(bridge, "place_limit_order", **LIMIT)
    if filled:
        bridge.control.fill_order(bridge.control.orders()[0].perm_id, Decimal(100))
        await eventually(
            lambda: bridge.redis.hget(bridge.keys.order(KEY), "state"), lambda found: bool(found == b"FILLED")
        )
    assert await outcomes(bridge) == []
    await bridge.stop_worker()
    await bridge.start_worker()
    (entry,) = await entries(bridge)
    assert (entry["by"], entry["caller"], entry["outcome"]) == (
        "reconciliation", "local", "FILLED" if filled else "WORKING",
    )  # fmt: skip
    await bridge.stop_worker()
    await bridge.start_worker()
    assert len(await entries(bridge)) == 1


async def test_whoever_has_his_answer_finds_its_entry_however_slow_redis_is(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repeated call begins nothing, so that nobody would write its entry if the worker died after the answer."""
    await attempt(bridge, "place_limit_order", **LIMIT)
    monkeypatch.setattr(bridge.worker.audit, "write", _never)
    await attempt(bridge, "place_limit_order", **LIMIT)
    assert [outcome for *_, outcome in await outcomes(bridge)] == ["WORKING", "WORKING"]


async def _never(_: Decision) -> bool:
    raise RedisAway("for ever")


async def test_an_audit_that_takes_nothing_keeps_no_answer_back_and_its_entry_is_in_the_log(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    await bridge.redis.set(bridge.keys.audit, "no stream")
    assert (await bridge.call("place_limit_order", **LIMIT)).state is OrderState.WORKING
    await until(lambda: "audit entry not written" in caplog.text)
    assert KEY in caplog.text


async def test_a_second_entry_under_a_request_id_is_not_written(bridge: Bridge) -> None:
    """As by a worker that was stopped in the middle and goes on when another has settled its order."""
    await attempt(bridge, "place_limit_order", **LIMIT)
    (entry,) = await entries(bridge)
    late = Decision(
        by="worker", caller="local", operation="place_limit_order", request_id=entry["request_id"], arguments={},
        outcome="UNKNOWN", detail="", key=KEY,
    )  # fmt: skip
    assert not await bridge.worker.audit.write(late)
    assert await entries(bridge) == [entry]


@pytest.mark.parametrize("error", [RedisAway("gone"), RuntimeError("broken"), asyncio.CancelledError()], ids=repr)
async def test_an_entry_without_its_orders_key_keeps_no_answer_back(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    placed = await bridge.call("place_limit_order", **LIMIT)

    async def fails(*_: object) -> list[str]:
        raise error

    monkeypatch.setattr(OrderRecords, "keys_meant", fails)
    assert (await bridge.call("cancel_order", order_id=str(placed.order_id))).state is OrderState.CANCELLED
    assert [entry["key"] for entry in await entries(bridge)] == [KEY, ""]
