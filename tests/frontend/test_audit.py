"""What the frontend decides about orders stands in the audit, once; what the worker decides it leaves to the worker."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from broker_worker import operator
from broker_worker.bootstrap import DRAIN_SECONDS
from mcp_frontend import decisions
from mcp_frontend.callers import Caller
from shared.audit import Audit
from shared.contract import OPERATIONS, Effect, Scope
from shared.contract.operation import PATIENCE
from shared.errors import GatewayRefused
from shared.order_records import order_key
from shared.queue.client import QueueLimits
from shared.redis_keys import Keys
from shared.redis_store import Store
from tests.frontend.conftest import Served, content_of, serve, text_of
from tests.frontend.standin import StandInWorker, stand_in_worker
from tests.frontend.test_answers import ARGUMENTS
from tests.queue.house import until
from tests.queue.proxy import Proxy

TRADING = [name for name, operation in OPERATIONS.items() if operation.marker.effect is Effect.TRADES]
LIMIT = ARGUMENTS["place_limit_order"] | {"client_order_id": "k"}
KEY = order_key("local", "k")

Entry = dict[str, str]


class Book:
    """The audit as an operator reads it."""

    def __init__(self, url: str) -> None:
        self.store = Store.at(url)
        self.audit = Audit(self.store, Keys("main"))

    async def entries(self) -> list[Entry]:
        return await self.audit.read(since=None, most=1000)

    async def only(self) -> Entry:
        """The one entry there is; fails where there is another, or none."""
        (entry,) = await self.entries()
        return entry


@pytest.fixture
async def book(valkey: str) -> AsyncIterator[Book]:
    opened = Book(valkey)
    yield opened
    await opened.store.close()


@pytest.mark.parametrize("tool", TRADING)
async def test_a_call_refused_by_readonly_has_one_entry(readonly: Served, book: Book, tool: str) -> None:
    await readonly.call(tool, ARGUMENTS[tool])
    entry = await book.only()
    assert (entry["by"], entry["caller"], entry["operation"], entry["outcome"]) == (
        "frontend",
        "local",
        tool,
        "REJECTED",
    )
    assert "READONLY" in entry["detail"]


@pytest.mark.parametrize("tool", TRADING)
async def test_a_call_beyond_the_callers_scope_has_one_entry(valkey: str, book: Book, tool: str) -> None:
    async with serve(valkey, lambda: Caller(name="reader", scopes=frozenset({Scope.READ}))) as served:
        assert text_of(await served.call(tool, ARGUMENTS[tool])).startswith("NOT_PERMITTED")
    entry = await book.only()
    assert (entry["caller"], entry["outcome"]) == ("reader", "NOT_PERMITTED")


@pytest.mark.parametrize("wrong", [{"quantity": 0}, {"colour": "red"}, {"limit_price": float("nan")}], ids=str)
async def test_an_order_with_wrong_arguments_has_one_entry_that_says_what_was_sent(
    served: Served, book: Book, wrong: dict[str, Any]
) -> None:
    call = {"name": "place_limit_order", "arguments": LIMIT | wrong}
    await served.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})
    entry = await book.only()
    assert (entry["outcome"], entry["key"]) == ("INVALID_ARGUMENT", KEY)
    assert json.loads(entry["arguments"])["client_order_id"] == "k"


async def test_the_longest_arguments_are_cut(served: Served, book: Book) -> None:
    await served.call("place_limit_order", LIMIT | {"symbol": "A" * 100_000})
    assert len((await book.only())["arguments"]) < 5000


async def test_a_query_has_no_entry(served: Served, worker: StandInWorker, book: Book) -> None:
    await served.call("get_positions")
    await served.call("get_positions", {"colour": "red"})
    assert await book.entries() == []


async def test_without_a_worker_a_call_has_one_entry(served: Served, book: Book) -> None:
    for tool in ("place_limit_order", "cancel_order", "modify_order"):
        assert text_of(await served.call(tool, ARGUMENTS[tool])).startswith("WORKER_DOWN")
    assert [one["outcome"] for one in await book.entries()] == ["WORKER_DOWN"] * 3


async def test_a_call_that_finds_the_queue_full_has_one_entry(
    valkey: str, worker: StandInWorker, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.queue.client.QueueLimits", lambda: QueueLimits(trades=0))
    async with serve(valkey) as served:
        assert text_of(await served.call("place_limit_order", LIMIT)).startswith("BUSY")
    assert (await book.only())["outcome"] == "BUSY"


async def test_what_the_worker_answers_or_refuses_the_frontend_leaves_to_the_worker(
    served: Served, worker: StandInWorker, book: Book
) -> None:
    content_of(await served.call("place_limit_order", LIMIT))

    async def refuse(*_: object) -> str:
        raise GatewayRefused("no")

    worker.answer = refuse
    assert text_of(await served.call("place_limit_order", LIMIT | {"client_order_id": "l"})).startswith(
        "GATEWAY_REFUSED"
    )
    assert await book.entries() == []


async def test_an_order_that_was_withdrawn_has_one_entry(
    valkey: str, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_frontend.calls.PATIENCE", 1.3)
    async with stand_in_worker(valkey, trade_slots=1) as worker, serve(valkey) as served:
        hold = asyncio.Event()

        async def wait(*_: Any) -> str:
            await hold.wait()
            raise GatewayRefused("no")

        worker.answer = wait
        first = asyncio.create_task(served.call("place_limit_order", LIMIT | {"client_order_id": "first"}))
        await worker.began.wait()
        assert content_of(await served.call("place_limit_order", LIMIT))["state"] == "EXPIRED"
        assert text_of(await served.call("cancel_order", ARGUMENTS["cancel_order"])).startswith("TIMEOUT")
        hold.set()
        await first
    assert [(one["operation"], one["outcome"]) for one in await book.entries()] == [
        ("place_limit_order", "EXPIRED"), ("cancel_order", "TIMEOUT"),
    ]  # fmt: skip


async def test_while_redis_is_away_the_entry_waits_for_it(valkey: str, book: Book) -> None:
    async with Proxy(int(valkey.rsplit(":", 1)[1].partition("/")[0])) as proxy, serve(proxy.url) as served:
        proxy.cut()
        assert text_of(await served.call("place_limit_order", LIMIT)).startswith("QUEUE_DOWN")
        assert await book.entries() == []
        proxy.mend()

        async def written() -> bool:
            return [(one["outcome"], one["key"]) for one in await book.entries()] == [("QUEUE_DOWN", KEY)]

        await until(written)


async def test_what_cannot_be_written_before_the_end_stands_in_the_log(
    valkey: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Proxy(int(valkey.rsplit(":", 1)[1].partition("/")[0])) as proxy:
        with caplog.at_level(logging.ERROR, "shared.audit"):
            async with serve(proxy.url) as served:
                proxy.cut()
                await served.call("place_limit_order", LIMIT)
    assert [KEY in record.getMessage() for record in caplog.records if record.name == "shared.audit"] == [True]


async def test_a_call_of_which_no_worker_says_anything_has_an_entry_after_a_while(
    served: Served, worker: StandInWorker, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "UNSAID_SECONDS", 0.2)

    async def never(*_: Any) -> str:
        await asyncio.Event().wait()
        return ""

    worker.answer = never
    call = asyncio.create_task(served.call("place_limit_order", LIMIT))
    await worker.began.wait()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)

    async def written() -> bool:
        return [one["outcome"] for one in await book.entries()] == ["UNKNOWN"]

    await until(written)


async def test_the_workers_own_word_leaves_no_room_for_a_second_entry(
    served: Served, worker: StandInWorker, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "UNSAID_SECONDS", 0.0)

    async def say_and_be_silent(envelope: Any, *_: Any) -> str:
        order = decisions.OrderCall(
            book.audit, OPERATIONS[envelope.operation], envelope.caller, envelope.request_id, envelope.arguments
        )
        await order.decided("WORKING", "as a worker would")
        await asyncio.Event().wait()
        return ""

    worker.answer = say_and_be_silent
    call = asyncio.create_task(served.call("place_limit_order", LIMIT))

    async def said() -> bool:
        return len(await book.entries()) == 1

    await until(said)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await served.call("place_limit_order", LIMIT | {"quantity": 0})  # a later entry: the first one's turn is over
    assert [one["outcome"] for one in await book.entries()] == ["WORKING", "INVALID_ARGUMENT"]


def test_a_worker_has_longer_to_say_something_than_any_call_may_take_with_the_drain_after_it() -> None:
    assert decisions.UNSAID_SECONDS > PATIENCE + DRAIN_SECONDS


def test_no_callers_word_forges_a_line_of_the_audit_or_moves_the_terminal() -> None:
    entry = {
        "at": "2026-11-22T14:00:00Z", "by": "worker", "caller": "eve", "operation": "cancel_order", "outcome": "no",
        "key": "", "detail": "no\x1b[2Jsuch\norder",
        "arguments": '{"order_id": "x\\n2026-11-22T14:00:01Z  operator\\u001b[1A"}',
    }  # fmt: skip
    said = operator._line(entry)
    assert len(said.splitlines()) == 3
    assert all(letter.isprintable() or letter == "\n" for letter in said)
