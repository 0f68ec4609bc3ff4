"""What a released version left in Redis and on the disk is read by this one."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import fakeredis
import pytest

from broker_worker.orders.record import rebuilt
from broker_worker.orders.remembered import remembered
from broker_worker.orders.sent_file import SentFile
from shared import VERSION
from shared.audit import Audit
from shared.contract.order_records import OrderDetail, OrderEvent
from shared.contract.orders import OrderResult, OrderState
from shared.envelope import read_answer, unseal
from shared.order_records import Stage, StoredOrder, order_key
from shared.redis_keys import Keys
from shared.redis_store import Store

from .write import HERE
from .write import left as what_is_left

VERSIONS = sorted(HERE.glob("*.json"))


@pytest.fixture(params=VERSIONS, ids=lambda path: path.stem)
def left(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(json.loads(Path(request.param).read_text()))


def test_a_job_that_was_queued_is_read(left: dict[str, Any]) -> None:
    queued = left["envelope"]
    envelope = unseal(queued["body"], queued["signature"], queued["secret"].encode())
    assert (envelope.operation, envelope.caller, envelope.request_id) == ("place_limit_order", "alice", "r-1")
    assert envelope.arguments["client_order_id"] == "first"
    if envelope.v == 1:
        assert (envelope.accounts, envelope.authenticated) == (None, False)
    else:
        assert (envelope.accounts, envelope.authenticated) == (frozenset({"DU1234567"}), True)


def test_an_answer_that_was_stored_is_read(left: dict[str, Any]) -> None:
    text, _ = read_answer(left["answer"])
    assert OrderResult.model_validate_json(text).state is OrderState.FILLED


@pytest.mark.parametrize(("name", "state"), [("first", OrderState.WORKING), ("second", OrderState.FILLED)])
def test_an_orders_record_is_read_and_its_key_is_still_its_key(
    left: dict[str, Any], name: str, state: OrderState
) -> None:
    kept = left["orders"][name]
    assert kept["key"] == order_key("alice", name)
    stored = StoredOrder(kept["key"], kept["fields"])
    assert (stored.stage, stored.caller, stored.client_order_id) == (Stage.KNOWN, "alice", name)
    assert stored.view is not None
    assert OrderDetail.model_validate_json(stored.view).state is state
    events = [OrderEvent.model_validate_json(row).event for row in kept["history"]]
    assert "begun" in events
    answer = remembered(stored)
    assert answer is not None
    assert answer.state is state
    assert rebuilt(stored).con_id == 265598


async def test_the_audit_is_read_in_its_sequence(left: dict[str, Any]) -> None:
    store, keys = Store(fakeredis.FakeAsyncRedis()), Keys("main")
    add = store.script("return redis.call('XADD', KEYS[1], '*', unpack(ARGV))")
    for row in left["audit"]:
        await add(keys=[keys.audit], args=[text for pair in row.items() for text in pair])
    rows = await Audit(store, keys).read(since=None, most=10)
    await store.close()
    assert rows == left["audit"]
    told = [(row["by"], row["caller"], row["operation"], row["outcome"], row["key"]) for row in rows]
    assert told == [
        ("worker", "alice", "place_limit_order", "WORKING", order_key("alice", "first")),
        ("worker", "alice", "place_market_order", "FILLED", order_key("alice", "second")),
    ]
    assert [json.loads(row["arguments"])["client_order_id"] for row in rows] == ["first", "second"]
    assert all(datetime.fromisoformat(row["at"]) and row["request_id"] and row["detail"] for row in rows)


def shape(kept: dict[str, Any]) -> dict[str, Any]:
    """What is written where, without what it says."""
    return {
        "envelope": sorted(json.loads(kept["envelope"]["body"])),
        "answer": sorted(json.loads(kept["answer"])["result"]),
        "orders": {name: sorted(order["fields"]) for name, order in kept["orders"].items()},
        "views": {name: sorted(json.loads(order["fields"]["view"])) for name, order in kept["orders"].items()},
        "history": sorted(json.loads(kept["orders"]["first"]["history"][0])),
        "audit": sorted(kept["audit"][0]),
        "tables": sorted(" ".join(line.split()) for line in kept["sent_file"] if line.startswith("CREATE TABLE")),
    }


async def test_the_form_in_which_this_release_writes_is_kept() -> None:
    """Where it is not, `python -m tests.released.write` keeps it; before the release is out, with `--again`."""
    kept = json.loads(kept_text(VERSION))
    assert kept["release"] == VERSION
    assert shape(kept) == shape(await what_is_left())


def kept_text(release: str) -> str:
    return (HERE / f"release_{release}.json").read_text()


def test_the_file_of_what_may_have_been_sent_is_read(left: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "main.sent.sqlite3"
    db = sqlite3.connect(path)
    db.executescript("\n".join(left["sent_file"]))
    # Orders are forgotten some days after they are over; what matters here is that they are read.
    db.execute("UPDATE sent SET over_at = over_at + 1e9")
    db.commit()
    db.close()

    async def keys() -> set[str]:
        file = SentFile(path)
        await file.open()
        try:
            return {row.key for row in await file.all()}
        finally:
            await file.close()

    assert asyncio.run(keys()) == {order["key"] for order in left["orders"].values()}
