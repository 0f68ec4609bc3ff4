"""What a released version left in Redis and on the disk is read by this one."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from broker_worker.orders.record import rebuilt
from broker_worker.orders.remembered import remembered
from broker_worker.orders.sent_file import SentFile
from shared.contract.order_records import OrderDetail, OrderEvent
from shared.contract.orders import OrderResult, OrderState
from shared.envelope import read_answer, unseal
from shared.order_records import Stage, StoredOrder, order_key

VERSIONS = sorted(Path(__file__).parent.glob("version_*.json"))


@pytest.fixture(params=VERSIONS, ids=lambda path: path.stem)
def left(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(json.loads(Path(request.param).read_text()))


def test_a_job_that_was_queued_is_read(left: dict[str, Any]) -> None:
    queued = left["envelope"]
    envelope = unseal(queued["body"], queued["signature"], queued["secret"].encode())
    assert (envelope.operation, envelope.caller, envelope.request_id) == ("place_limit_order", "alice", "r-1")
    assert envelope.arguments["client_order_id"] == "first"


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


def test_the_file_of_what_may_have_been_sent_is_read(left: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "main.sent.sqlite3"
    db = sqlite3.connect(path)
    db.executescript("\n".join(left["sent_file"]))
    # Its rows are forgotten after some days; what matters here is that they are read.
    db.execute("UPDATE sent SET at = at + 1e9")
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
