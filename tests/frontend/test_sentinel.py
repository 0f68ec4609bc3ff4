"""Where Sentinels watch over Redis, the bridge finds the primary by them, and the new one after a failover."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_frontend.settings import FrontendSettings
from shared import redis_address
from tests.frontend.conftest import Served, serve, text_of
from tests.frontend.standin import stand_in_worker
from tests.watched_redis import WatchedRedis


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[WatchedRedis]:
    servers = await asyncio.to_thread(WatchedRedis, tmp_path)
    yield servers
    servers.close()


async def _answered(served: Served) -> None:
    async with asyncio.timeout(30):
        while (await served.call("get_positions")).is_error:  # noqa: ASYNC110 - a failover sends no event
            await asyncio.sleep(0.1)


async def test_a_failover_is_followed_by_both_sides(watched: WatchedRedis) -> None:
    async with stand_in_worker(watched.url) as worker, serve(watched.url) as served:
        await _answered(served)
        assert watched.ask(watched.primary).dbsize() > 0
        before = len(worker.envelopes)
        watched.kill_primary()
        refused = await served.call("get_positions")
        if refused.is_error:
            assert text_of(refused).startswith(("QUEUE_DOWN", "WORKER_DOWN", "TIMEOUT"))
        await _answered(served)
        assert watched.failed_over()
        assert len(worker.envelopes) > before


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sentinel://127.0.0.1:26379", "must be like"),
        ("sentinel://:secret-word@/orders", "must be like"),
        ("sentinel://127.0.0.1:26379/orders/first", "must be like"),
        ("sentinel://127.0.0.1:port/orders", "host:port"),
        ("sentinel://:secret-word@127.0.0.1/orders?pasword=x", "not known: pasword"),
        ("http://127.0.0.1", "must begin with"),
    ],
)
def test_an_address_that_leads_nowhere_stops_the_start(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        redis_address.checked(url)
    assert "secret-word" not in str(raised.value)
    with pytest.raises(ValueError, match="redis_url"):
        FrontendSettings(redis_url=url)


def test_a_place_is_named_without_its_password() -> None:
    url = "sentinels://user:secret-word@one:1,two/orders/3?sentinel_password=other-word"
    assert redis_address.place(url) == "the primary orders of the Sentinels at one:1,two"
    assert redis_address.place("rediss://:secret-word@redis.example/0") == "redis.example:6379"
    assert redis_address.place("unix:///run/redis.sock") == "/run/redis.sock"
