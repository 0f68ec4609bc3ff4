"""What is still known, and what is not claimed, after Redis has forgotten everything."""

from __future__ import annotations

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker_worker.orders import reconciling
from broker_worker.orders.journal import Journal, Noted
from broker_worker.orders.sent_file import End, Sent, SentFile
from shared import clock
from shared.contract.orders import OrderState
from shared.errors import Unavailable, WorkerDown
from shared.order_records import Stage, order_key
from tests.worker.harness import Bridge, eventually, until

from .front_desk import FrontDesk

A_DAY = 24 * 3600.0
AAPL = 265598


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "LOOK_SECONDS", 0.05)


async def ended(bridge: Bridge, name: str) -> End:
    """How an order ended, once the file has it."""

    async def row() -> Sent | None:
        return await bridge.worker.sent_file.get(order_key("local", name))

    found = await eventually(row, lambda seen: seen is not None and seen.end is not None)
    assert found is not None
    assert found.end is not None
    return found.end


async def wiped_over_night(bridge: Bridge) -> None:
    """The worker stops, the gateway's day ends, Redis forgets all, the worker starts again."""
    await bridge.stop_worker()
    bridge.control.advance(A_DAY)
    await bridge.wipe()
    await bridge.start_worker()


@pytest.mark.parametrize("fate", ["FILLED", "CANCELLED", "REJECTED"])
async def test_an_order_that_ended_on_an_earlier_day_is_restored_as_it_ended_and_blocks_nothing(
    bridge: Bridge, fate: str
) -> None:
    desk = FrontDesk(bridge)
    if fate == "REJECTED":
        bridge.control.refuse_next_order(201, "Order rejected - reason:No.")
    placed = await desk.place("k")
    if fate == "FILLED":
        bridge.control.fill_order(placed["perm_id"], Decimal(99))
    if fate == "CANCELLED":
        await desk.ask("cancel_order", order_id="k")
    assert (await ended(bridge, "k")).state == fate
    before = await eventually(lambda: desk.story("k"), lambda told: told["state"] == fate)
    await wiped_over_night(bridge)
    assert await bridge.redis.hlen(bridge.keys.orders_unknown) == 0
    after = await desk.story("k")
    assert {name: after[name] for name in after if name not in {"as_of", "history"}} == {
        name: before[name] for name in before if name not in {"as_of", "history"}
    }
    assert [event["event"] for event in after["history"]] == ["restored"]
    again = await desk.place("k")
    assert (again["state"], again["perm_id"]) == (fate, placed["perm_id"])
    if placed["perm_id"] is not None:
        assert (await desk.story(f"perm:{placed['perm_id']}"))["state"] == fate
    assert (await desk.place("k-2", limit_price=101))["state"] == "WORKING"
    assert len(bridge.placed()) == 2


async def test_a_commission_that_comes_after_the_end_is_restored_too(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    placed = await desk.place("k")
    bridge.control.fill_order(placed["perm_id"], Decimal(99))
    await eventually(lambda: ended(bridge, "k"), lambda end: '"commission":1' in end.view)
    await wiped_over_night(bridge)
    assert [fill["commission"] for fill in (await desk.story("k"))["fills"]] == [1]


async def test_what_a_person_settled_stays_settled(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    bridge.control.swallow_next_order()
    asking = asyncio.create_task(desk.place("k"))
    await until(lambda: bridge.control.faults().swallow_orders == 0)
    bridge.control.drop_links()
    assert (await asking)["state"] == "UNKNOWN"
    await bridge.ready()
    assert await Journal(bridge.store(), bridge.keys).resolve(
        order_key("local", "k"), OrderState.CANCELLED, "ann: seen"
    )
    await bridge.stop_worker()
    await bridge.start_worker()  # reconciles, and so hears of it
    await wiped_over_night(bridge)
    assert (await desk.story("k"))["state"] == "CANCELLED"
    assert (await desk.place("k-2"))["state"] == "WORKING"


async def test_an_order_that_still_worked_and_left_no_trace_is_unknown(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    placed = await desk.place("k", tif="DAY")
    await bridge.stop_worker()
    bridge.control.cancel_order(placed["perm_id"])
    bridge.control.advance(A_DAY)
    await bridge.wipe()
    await bridge.start_worker()
    assert (await desk.story("k"))["state"] == "UNKNOWN"
    assert (await desk.place("k-2", limit_price=101))["state"] == "REJECTED"


async def test_a_file_from_before_ends_were_noted_still_serves(bridge: Bridge, tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE sent (key TEXT PRIMARY KEY, epoch INTEGER, order_id INTEGER, at REAL, entry TEXT)")
        db.execute("INSERT INTO sent VALUES ('k', 1, 7, 1e9, '{}')")
    db.close()
    file = SentFile(path)
    await file.open()
    (row,) = await file.all()
    assert (row.key, row.end) == ("k", None)
    await file.note_ends({"k": End(state="FILLED", may_resubmit=False, view="{}", names=("perm:1",))})
    (row,) = await file.all()
    assert row.end == End(state="FILLED", may_resubmit=False, view="{}", names=("perm:1",))
    await file.note_ends({"k": None})
    (row,) = await file.all()
    assert row.end is None
    await file.close()


async def test_the_file_forgets_an_order_nine_days_after_its_end_and_one_that_lives_never(tmp_path: Path) -> None:
    file = SentFile(tmp_path / "sent.sqlite3")
    await file.open()
    long_ago = clock.now().timestamp() - 100 * A_DAY
    for key in ("over", "just-over", "lives"):
        await file.add(Sent(key, 1, 7, long_ago, "{}"))
    end = End(state="FILLED", may_resubmit=False, view="{}", names=())
    await file.note_ends({"over": end, "just-over": end})
    await file._run(lambda db: db.execute("UPDATE sent SET over_at = ? WHERE key = 'over'", (long_ago,)))
    await file.close()
    file = SentFile(tmp_path / "sent.sqlite3")
    await file.open()
    assert {row.key for row in await file.all()} == {"just-over", "lives"}
    await file.close()


async def test_until_a_wiped_redis_is_reconciled_nothing_in_it_is_called_never_sent(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    assert (await desk.place("k"))["state"] == "WORKING"
    await bridge.stop_worker()
    await bridge.wipe()
    with pytest.raises(Unavailable, match="k may exist"):
        await desk.story("k")
    with pytest.raises(WorkerDown):
        await desk.place("k")
    told = await desk.story("k")
    assert (told["state"], told["may_resubmit"]) == ("UNKNOWN", False)
    assert "Do not place it again" in told["next_step"]
    await bridge.start_worker()
    assert (await desk.story("k"))["state"] == "WORKING"
    assert (await desk.story("nobody's"))["status"] == "NOT_FOUND"
    assert len(bridge.placed()) == 1


async def test_an_order_withdrawn_from_a_wiped_redis_is_not_called_expired(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_frontend.calls.PATIENCE", 1.3)
    desk = FrontDesk(bridge)
    await bridge.stop_worker()
    for reconciled in (True, False):
        if not reconciled:
            await bridge.wipe()
        await bridge.redis.set(bridge.keys.heartbeat, "1", px=60_000)  # the frontend believes that somebody serves
        name = f"k-{reconciled}"
        answer = await desk.place(name)
        told = await desk.story(name)
        if reconciled:
            assert (answer["state"], told["state"], told["may_resubmit"]) == ("EXPIRED", "EXPIRED", True)
        else:
            assert (answer["state"], answer["may_resubmit"]) == ("UNKNOWN", False)
            assert (told["state"], told["may_resubmit"]) == ("UNKNOWN", False)


@pytest.mark.usefixtures("quick_looks")
async def test_a_wipe_is_noticed_without_any_order(bridge: Bridge) -> None:
    desk = FrontDesk(bridge)
    placed = await desk.place("k")
    await bridge.wipe()

    async def story() -> Any:
        try:
            return await desk.story("k")
        except Unavailable:
            return None

    told = await eventually(story, lambda seen: seen is not None and seen["state"] == "WORKING")
    assert told["perm_id"] == placed["perm_id"]
    await eventually(lambda: bridge.redis.hget(bridge.keys.sentinel, "id"), bool)
    await eventually(lambda: desk.field("k", "fingerprint"), bool)


@pytest.mark.usefixtures("quick_looks")
@pytest.mark.parametrize(("file", "stage", "state"), [("this", Stage.UNSENT, None), ("another", "SENDING", "UNKNOWN")])
async def test_an_order_begun_that_nobody_looks_after_is_found_without_a_new_connection(
    bridge: Bridge, file: str, stage: Stage, state: str | None
) -> None:
    """A command given up long ago is carried out late, when the worker that gave it has left it behind."""
    worker = bridge.worker
    key = order_key("local", "k")
    fields = {
        "stage": "SENDING", "state": "PENDING", "attempt": "somebody's", "fingerprint": "f", "caller": "local",
        "client_order_id": "k", "file": worker.sent_file.id if file == "this" else "another",
        "order": '{"account":"DU1234567","con_id":265598,"action":"BUY","quantity":1}', "place": "DU1234567|265598",
        "begun_ms": str(int(clock.now().timestamp() * 1000)),
    }  # fmt: skip
    await bridge.redis.hset(bridge.keys.order(key), mapping=fields)
    await bridge.redis.sadd(bridge.keys.orders_open, key)
    desk = FrontDesk(bridge)
    told = await eventually(lambda: desk.field("k", "stage"), lambda seen: seen == stage or state is not None)
    assert told == stage
    if state is not None:
        await eventually(lambda: desk.field("k", "state"), lambda seen: seen == state)
    assert bridge.placed() == []


async def test_an_order_on_its_way_is_not_taken_for_one_that_nobody_looks_after(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "LOOK_SECONDS", 0.001)
    rounds = bridge.worker.reconciler.rounds
    desk = FrontDesk(bridge)
    for number in range(20):
        assert (await desk.place(f"k-{number}", limit_price=100 - number))["state"] == "WORKING"
    assert bridge.worker.reconciler.rounds == rounds


class Memory:
    """What a Redis knows of one order, to be gone back to, as where a replica takes over that lacks the last writes."""

    def __init__(self, bridge: Bridge, key: str) -> None:
        self._bridge = bridge
        self._hashes = (bridge.keys.order(key), bridge.keys.sentinel)
        self._key = key
        self._kept: list[dict[bytes, bytes]] = []

    async def keep(self) -> None:
        self._kept = [await self._bridge.redis.hgetall(name) for name in self._hashes]

    async def go_back(self) -> None:
        for name, fields in zip(self._hashes, self._kept, strict=True):
            await self._bridge.redis.delete(name)
            await self._bridge.redis.hset(name, mapping=fields)
        await self._bridge.redis.sadd(self._bridge.keys.orders_open, self._key)


@pytest.mark.usefixtures("quick_looks")
@pytest.mark.parametrize("meanwhile", ["nothing", "other orders"])
async def test_what_redis_was_told_last_and_has_lost_it_is_told_again(bridge: Bridge, meanwhile: str) -> None:
    desk, memory = FrontDesk(bridge), Memory(bridge, order_key("local", "k"))
    placed = await desk.place("k")
    await eventually(lambda: desk.story("k"), lambda told: told["state"] == "WORKING")
    await memory.keep()
    bridge.control.fill_order(placed["perm_id"], Decimal(99))
    await eventually(lambda: desk.story("k"), lambda told: told["state"] == "FILLED" and told["fills"][0]["commission"])
    await memory.go_back()
    if meanwhile == "other orders":
        for number in range(8):
            await desk.place(f"more-{number}", limit_price=90 + number)
    await eventually(lambda: desk.story("k"), lambda told: told["state"] == "FILLED")
    assert await bridge.redis.sismember(bridge.keys.orders_open, order_key("local", "k")) == 0


async def test_a_note_that_is_overtaken_by_a_newer_one_changes_nothing(bridge: Bridge) -> None:
    desk, journal = FrontDesk(bridge), Journal(bridge.store(), bridge.keys, lambda: bridge.worker.lease.holder)
    await desk.place("k")
    before = await eventually(lambda: desk.story("k"), lambda told: told["state"] == "WORKING")
    noted = await journal.note(
        order_key("local", "k"), stage=Stage.SENDING, state=OrderState.PENDING, view="{}", may_resubmit=True,
        place="DU1234567|265598", names=[], what="late", detail=None, number=0,
    )  # fmt: skip
    after = await desk.story("k")
    assert noted is Noted.NOTED
    assert {name: after[name] for name in after if name != "history"} == {
        name: before[name] for name in before if name != "history"
    }
    assert after["history"][-1]["event"] == "late"
