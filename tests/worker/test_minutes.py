"""What the worker leaves for the status page is true and stays small."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker_worker import minutes
from broker_worker.minutes import Latencies
from shared.contract.status import LinkState
from shared.history import CHANGES, MINUTES, History, LinkChange, Minute, this_minute
from shared.redis_store import Store
from tests.worker.harness import Bridge, eventually


def test_a_share_of_the_latencies_is_told_within_fifteen_percent() -> None:
    latencies = Latencies()
    assert latencies.within_ms(0.5) is None
    for milliseconds in range(1, 1001):
        latencies.add(milliseconds / 1000)
    assert latencies.count == 1000
    half, most = latencies.within_ms(0.5), latencies.within_ms(0.95)
    assert half is not None
    assert most is not None
    assert 500 <= half <= 575
    assert 950 <= most <= 1093
    latencies.add(0)
    latencies.add(100_000)
    assert latencies.within_ms(1) is not None


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minutes, "EVERY_SECONDS", 0.02)


@pytest.mark.usefixtures("quick")
async def test_a_minute_counts_jobs_messages_and_lines() -> None:
    async with Bridge() as bridge:
        await bridge.call("get_stock_price", symbol="AAPL")
        history = History(Store(bridge.redis), bridge.keys)
        found = await eventually(history.minutes, lambda found: any(m.calls and m.lines for m in found))
        messages = sum(minute.messages for minute in found)
        (last,) = found[-1:]
        assert messages >= 3
        assert last.messages_limit == 45 * 60
        assert last.lines_limit == 90
        assert last.p95_ms is not None or len(found) > 1


async def test_the_links_changes_are_kept_in_their_order() -> None:
    async with Bridge() as bridge:
        history = History(Store(bridge.redis), bridge.keys)

        def ends_with(*links: LinkState) -> Callable[[list[LinkChange]], bool]:
            return lambda found: tuple(change.link for change in found)[-len(links) :] == links

        await eventually(history.changes, ends_with(LinkState.READY))
        bridge.control.send_notice(1100)
        lost = await eventually(history.changes, ends_with(LinkState.READY, LinkState.LINK_LOST))
        assert "1100" in (lost[-1].detail or "")
        bridge.control.send_notice(1102)
        await eventually(history.changes, ends_with(LinkState.READY))


async def test_what_is_kept_is_bounded() -> None:
    async with Bridge() as bridge:
        history = History(Store(bridge.redis), bridge.keys)
        now = this_minute()
        for ago in (MINUTES + 5, MINUTES, 3):
            await history.put_minute(_minute(now - ago))
        await history.put_minute(_minute(now))
        kept = {int(name) for name in await bridge.redis.hkeys(bridge.keys.minutes)}
        assert {now, now - 3} <= kept
        assert min(kept) > now - MINUTES
        change = (await history.changes())[-1]
        for _ in range(CHANGES + 10):
            await history.put_change(change)
        assert len(await history.changes()) == CHANGES


async def test_a_word_of_another_release_is_left_out() -> None:
    async with Bridge() as bridge:
        history = History(Store(bridge.redis), bridge.keys)
        told = await eventually(history.changes, lambda found: any(one.link is LinkState.READY for one in found))
        before = len(told)
        await bridge.redis.rpush(bridge.keys.link_changes, '{"at":"2026-11-20T10:00:00Z","link":"levitating"}')
        await bridge.redis.hset(bridge.keys.minutes, str(this_minute() - 1), "{}")
        assert len(await history.changes()) == before
        assert this_minute() - 1 not in {minute.minute for minute in await history.minutes()}


def _minute(number: int) -> Minute:
    return Minute(
        minute=number, queue_depth=0, calls=0, p50_ms=None, p95_ms=None, messages=0, messages_limit=1, lines=0,
        lines_limit=1,
    )  # fmt: skip
