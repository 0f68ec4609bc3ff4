"""``get_status`` answers whatever is away, and says in one sentence what is and what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.contract.status import LinkState, WorkerStatus
from shared.redis_keys import Keys
from shared.redis_store import Store
from tests.frontend.conftest import Served, content_of, serve
from tests.frontend.standin import StandInWorker, worker_status

KEYS = Keys("main")


async def say(worker: StandInWorker, status: WorkerStatus) -> None:
    await worker.store.set(KEYS.status, status.model_dump_json())


async def test_a_ready_bridge_says_so(served: Served, worker: StandInWorker) -> None:
    await say(worker, worker_status())
    status = content_of(await served.call("get_status"))
    assert status["ready"] is True
    assert status["message"] == "Ready: paper trading through the gateway."
    assert status["worker"]["accounts"] == ["DU1234567"]
    assert status["worker"]["link"] == "ready"
    assert (status["worker_running"], status["queue_depth"], status["readonly"]) == (True, 0, False)
    assert 0 <= status["seconds_since_heartbeat"] < 5


async def test_a_redis_that_forgets_is_said_in_the_sentence(served: Served, worker: StandInWorker) -> None:
    await say(worker, worker_status(redis_durability="forgets"))
    status = content_of(await served.call("get_status"))
    assert status["ready"] is True
    assert "Redis forgets the records of orders" in status["message"]
    assert status["worker"]["redis_durability"] == "forgets"


async def test_an_order_of_unknown_fate_is_said_in_the_sentence(served: Served, worker: StandInWorker) -> None:
    await say(worker, worker_status())
    await worker.store.set_field(KEYS.orders_unknown, "mcp-of-somebody", "DU1234567|265598")
    status = content_of(await served.call("get_status"))
    assert (status["ready"], status["orders_unknown"]) == (True, 1)
    assert "UNKNOWN: no new one for its contract is sent" in status["message"]


async def test_every_other_state_is_named_with_what_to_do(served: Served, worker: StandInWorker) -> None:
    async with served.client() as client:
        for link in set(LinkState) - {LinkState.READY}:
            await say(worker, worker_status(link=link, link_detail="error 326"))
            status = content_of(await client.call_tool("get_status"))
            assert status["ready"] is False
            assert status["message"].startswith(f"{link.value} (error 326): ")
            assert "Retry after" in status["message"] or "Tell " in status["message"]


async def test_readonly_of_either_process_is_readonly(served: Served, readonly: Served, worker: StandInWorker) -> None:
    await say(worker, worker_status(readonly=True))
    by_worker = content_of(await served.call("get_status"))
    assert (by_worker["readonly"], by_worker["readonly_frontend"]) == (True, False)
    assert "orders are refused" in by_worker["message"]
    await say(worker, worker_status())
    by_frontend = content_of(await readonly.call("get_status"))
    assert (by_frontend["readonly"], by_frontend["readonly_frontend"]) == (True, True)


async def test_without_a_worker_the_last_word_is_shown_with_its_age(served: Served, valkey: str) -> None:
    store = Store.at(valkey)
    spoke = datetime.now(UTC) - timedelta(minutes=5)
    await store.set(KEYS.status, worker_status(heartbeat=spoke).model_dump_json())
    await store.close()
    status = content_of(await served.call("get_status"))
    assert (status["ready"], status["worker_running"]) == (False, False)
    assert "No worker is running (the last one spoke 30" in status["message"]
    assert status["seconds_since_heartbeat"] >= 300


async def test_a_bridge_that_never_had_a_worker_says_so(served: Served) -> None:
    status = content_of(await served.call("get_status"))
    assert status["worker"] is None
    assert status["message"].startswith("No worker is running; ")


async def test_a_worker_that_fell_silent_is_not_called_ready(served: Served, worker: StandInWorker) -> None:
    await say(worker, worker_status(heartbeat=datetime.now(UTC) - timedelta(seconds=60)))
    status = content_of(await served.call("get_status"))
    assert status["ready"] is False
    assert "has said nothing for 60 s" in status["message"]


async def test_a_word_of_another_release_is_no_failure(served: Served, worker: StandInWorker) -> None:
    await worker.store.set(KEYS.status, '{"version":"9.0.0","news":true}')
    status = content_of(await served.call("get_status"))
    assert status["worker"] is None
    assert "different releases" in status["message"]


async def test_the_health_routes_tell_life_from_readiness(served: Served) -> None:
    assert (await served.get("/livez")).status_code == 200
    response = await served.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "reason": "no worker is running"}


async def test_with_a_worker_the_frontend_is_ready(served: Served, worker: StandInWorker) -> None:
    assert (await served.get("/readyz")).status_code == 200


async def test_orders_of_unknown_fate_are_counted_over_all_gateway_sessions(valkey: str, worker: StandInWorker) -> None:
    await say(worker, worker_status())
    for session, orders in (("main", ["a"]), ("second", ["b", "c"])):
        for order in orders:
            await worker.store.set_field(Keys(session).orders_unknown, order, "DU1234567|265598")
    async with serve(valkey, further_gateway_sessions="second") as served:
        status = content_of(await served.call("get_status"))
    assert status["orders_unknown"] == 3
