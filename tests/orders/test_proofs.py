"""What proves that an order was never sent, and what does not: the local file, Redis's memory, an order's age."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from broker_worker import fail_points
from broker_worker.orders.sent_file import Sent, SentFile
from shared.contract.orders import OrderState
from shared.errors import Unavailable
from shared.order_records import Stage, order_key
from tests.worker.harness import Bridge, until

from .front_desk import FrontDesk

LIMIT: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 10, "limit_price": 100, "client_order_id": "k"}
KEY = order_key("local", "k")


async def swallowed(bridge: Bridge) -> None:
    """An order that went to the socket and never arrived."""
    bridge.control.swallow_next_order()
    asking = asyncio.create_task(bridge.call("place_limit_order", **LIMIT))
    await until(lambda: bridge.control.faults().swallow_orders == 0)
    bridge.control.drop_links()
    assert (await asking).state is OrderState.UNKNOWN
    await bridge.ready()


async def stage_of(bridge: Bridge) -> str:
    return str((await bridge.redis.hget(bridge.keys.order(KEY), "stage")).decode())


async def test_a_new_file_proves_nothing_about_older_orders(bridge: Bridge, tmp_path: Path) -> None:
    await swallowed(bridge)
    await bridge.stop_worker()
    bridge._state_dir = tmp_path
    for _ in range(2):  # the second start finds a file that is its own
        await bridge.start_worker()
        assert await stage_of(bridge) == Stage.SENDING
        assert (await bridge.call("place_limit_order", **LIMIT)).state is OrderState.UNKNOWN
        await bridge.stop_worker()


async def test_a_record_that_has_expired_is_not_brought_back(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    await bridge.redis.delete(bridge.keys.order(KEY))
    await bridge.redis.srem(bridge.keys.orders_open, KEY)
    bridge.control.cancel_order(bridge.control.orders()[0].perm_id)
    await bridge.stop_worker()
    await bridge.redis.delete(bridge.keys.order(KEY))
    await bridge.start_worker()
    assert await bridge.redis.hlen(bridge.keys.orders_unknown) == 0


async def test_the_first_order_after_a_wipe_is_sent_once(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", **LIMIT)
    await bridge.redis.delete(bridge.keys.sentinel, bridge.keys.order(KEY), bridge.keys.orders_open)
    other = await bridge.call("place_limit_order", **LIMIT | {"client_order_id": "k-2", "limit_price": 99})
    assert other.state is OrderState.WORKING
    assert (await bridge.call("place_limit_order", **LIMIT)).state is OrderState.WORKING
    assert len(bridge.placed()) == 2


async def test_a_link_that_ends_between_begin_and_the_socket_leaves_the_order_unsent(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(point: str) -> None:
        if point == "begun":
            bridge.worker.link.on_closed()

    monkeypatch.setattr(fail_points, "reach", cut)
    answer = await bridge.call("place_limit_order", **LIMIT)
    assert (answer.state, answer.may_resubmit) == (OrderState.EXPIRED, True)
    assert await stage_of(bridge) == Stage.UNSENT
    assert bridge.placed() == []


async def test_the_file_removes_only_the_row_it_is_told_of(tmp_path: Path) -> None:
    file = SentFile(tmp_path / "sent.sqlite3")
    await file.open()
    first = Sent("k", 1, 7, time.time(), "{}")
    assert await file.add(first)
    assert not await file.add(Sent("k", 2, 8, time.time(), "{}"))
    await file.remove(Sent("k", 2, 8, first.at, "{}"))
    assert await file.get("k") == first
    await file.remove(first)
    assert await file.get("k") is None
    await file.close()


async def test_no_order_is_sent_while_the_file_cannot_be_written_and_the_same_call_passes_later(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    file = bridge.worker.sent_file
    await file._run(lambda db: db.execute("PRAGMA query_only = ON"))
    with pytest.raises(Unavailable, match="local file cannot be written"):
        await desk.place("k")
    assert bridge.placed() == []
    await file._run(lambda db: db.execute("PRAGMA query_only = OFF"))
    assert (await desk.place("k"))["state"] == "WORKING"
    assert len(bridge.placed()) == 1
