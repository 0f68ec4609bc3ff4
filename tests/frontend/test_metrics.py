"""What a frontend shows Prometheus, and to whom."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from mcp_frontend.keys import KeyRing
from shared.contract import Scope
from shared.redis_keys import Keys
from shared.redis_store import Store
from tests.conftest import free_port
from tests.frontend.conftest import Served, serve
from tests.frontend.standin import SECRET, StandInWorker


async def shown(served: Served, **headers: str) -> dict[tuple[str, ...], float]:
    """Every sample, by its name and the values of its labels."""
    response = await served.get("/metrics", **headers)
    assert response.status_code == 200, response.text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def test_calls_are_counted_by_tool_and_outcome_and_their_time_measured(
    served: Served, worker: StandInWorker
) -> None:
    await served.call("get_positions")
    await served.call("get_positions", {"account": "x"})
    samples = await shown(served)
    assert samples["ibkr_frontend_calls_total", "OK", "get_positions"] == 1
    assert samples["ibkr_frontend_calls_total", "INVALID_ARGUMENT", "get_positions"] == 1
    assert samples["ibkr_frontend_call_seconds_count", "get_positions"] == 2
    assert samples["ibkr_worker_running", "main"] == 1
    assert samples["ibkr_orders_unknown", "main"] == 0


async def test_what_waits_and_what_is_unknown_is_seen_without_a_worker(served: Served, valkey: str) -> None:
    keys = Keys("main")
    with Redis.from_url(valkey) as redis:
        redis.hset(keys.orders_unknown, mapping={"mcp-a": "DU1|1", "mcp-b": "DU1|2"})
        redis.zadd(keys.queue, {"one": 1.0, "two": 2.0e12, "three": 2.1e12})
    samples = await shown(served)
    assert samples["ibkr_worker_running", "main"] == 0
    assert samples["ibkr_orders_unknown", "main"] == 2
    assert samples["ibkr_queue_jobs", "trades", "main"] + samples["ibkr_queue_jobs", "queries", "main"] == 3


async def test_while_redis_is_away_the_metrics_say_so() -> None:
    async with serve(f"redis://127.0.0.1:{free_port()}/0", readonly=True) as served:
        samples = await shown(served)
    assert samples["ibkr_redis_reachable", "main"] == 0
    assert samples["ibkr_readonly", "main"] == 1
    assert ("ibkr_worker_running", "main") not in samples


async def test_where_keys_are_asked_for_the_metrics_need_one_that_may_read(valkey: str) -> None:
    async with serve(valkey, authentication="keys") as served:
        store = Store.at(valkey)
        ring = KeyRing(store, Keys("main"), SECRET.encode())
        reader = await ring.add("prometheus", scopes=frozenset({Scope.READ}))
        trader = await ring.add("trader", scopes=frozenset({Scope.TRADE}))
        await store.close()
        refused = await served.get("/metrics")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert (await served.get("/metrics", authorization=f"Bearer {trader}")).status_code == 403
        assert await shown(served, authorization=f"Bearer {reader}")
        assert (await served.get("/metrics", host="evil.example")).status_code == 421
