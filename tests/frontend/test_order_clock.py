"""Whether an order came too late is Redis's to say: by its clock BEGIN decides, whatever a frontend's clock shows."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from shared.order_records import OrderRecords, order_key
from shared.redis_keys import Keys
from tests.frontend.conftest import Served, content_of
from tests.frontend.standin import StandInWorker
from tests.frontend.test_answers import ARGUMENTS


@pytest.mark.parametrize(("wrong_by", "seconds", "state"), [(3600, 60, "PENDING"), (-3600, -60, "EXPIRED")])
async def test_a_frontend_whose_clock_is_wrong_tells_the_same(
    served: Served, worker: StandInWorker, monkeypatch: pytest.MonkeyPatch, wrong_by: int, seconds: int, state: str
) -> None:
    records = OrderRecords(worker.store, Keys("main"))
    await records.enter(
        order_key("local", "late"),
        caller="local",
        client_order_id="late",
        operation="place_limit_order",
        arguments=ARGUMENTS["place_limit_order"],
        deadline_ms=int((datetime.now(UTC).timestamp() + seconds) * 1000),
    )
    right = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: right() + wrong_by)
        answer = content_of(await served.call("get_order", {"order": "late"}))
    assert (answer["state"], answer["may_resubmit"]) == (state, state == "EXPIRED")
