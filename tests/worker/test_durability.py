"""Redis is asked whether it keeps what it is told; one that certainly forgets gets no live order."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from broker_worker.durability import DurabilityWatch
from shared.contract.orders import OrderState
from shared.contract.status import Durability
from shared.errors import NotPermitted
from shared.redis_store import Store
from simulated_gateway import GatewayConfig

from .harness import Bridge, quiet_gateway

ORDER = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 100}
AS_RECOMMENDED = {"appendonly": "yes", "appendfsync": "always", "maxmemory": "0", "maxmemory-policy": "noeviction"}


@pytest.fixture
def configured(valkey: str) -> Iterator[Redis]:
    """The Valkey's configuration, put back afterwards."""
    with Redis.from_url(valkey) as redis:
        before = {name: redis.config_get(name)[name] for name in AS_RECOMMENDED}
        yield redis
        for name, value in before.items():
            redis.config_set(name, value)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, Durability.DURABLE),
        ({"appendfsync": "everysec"}, Durability.LOSES_LAST),
        ({"appendonly": "no"}, Durability.FORGETS),
        ({"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}, Durability.FORGETS),
        ({"maxmemory-policy": "allkeys-lru"}, Durability.DURABLE),
        ({"maxmemory": "100mb"}, Durability.DURABLE),
    ],
)
async def test_what_redis_is_configured_for_is_said_in_one_word(
    valkey: str, configured: Redis, changes: dict[str, str], state: Durability
) -> None:
    for name, value in (AS_RECOMMENDED | changes).items():
        configured.config_set(name, value)
    store = Store.at(valkey)
    watch = DurabilityWatch(store, required=True)
    await watch.look()
    assert watch.state is state
    assert (watch.refusal() is not None) is (state is Durability.FORGETS)
    await store.close()


async def test_a_redis_that_does_not_show_its_configuration_is_unknown_and_that_is_said_once(
    valkey: str, configured: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    configured.acl_setuser("bridge", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-config"])
    store = Store.at(valkey.replace("redis://", "redis://bridge:any@"))
    watch = DurabilityWatch(store, required=True)
    with caplog.at_level(logging.INFO):
        await watch.look()
        await watch.look()
    assert (watch.state, watch.refusal()) == (Durability.UNKNOWN, None)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    await store.close()
    configured.acl_deluser("bridge")


async def test_while_redis_is_away_the_last_word_stands(valkey: str, configured: Redis) -> None:
    configured.config_set("appendonly", "no")
    store = Store.at(valkey)
    watch = DurabilityWatch(store, required=True)
    await watch.look()
    watch._store = Store.at("redis://127.0.0.1:1/0")
    await watch.look()
    assert watch.state is Durability.FORGETS
    await store.close()


def live_gateway() -> GatewayConfig:
    return quiet_gateway(accounts=("U1234567",))


async def forgetting(bridge: Bridge) -> None:
    """The worker has seen a Redis that keeps nothing."""
    bridge.worker.durability.state, bridge.worker.durability._said = Durability.FORGETS, "it forgets"


async def test_a_redis_that_forgets_gets_no_live_order_but_still_cancels() -> None:
    options: dict[str, Any] = {"ibkr_trading_mode": "live", "job_signing_secret": "a secret of the tests"}
    async with Bridge(live_gateway(), **options) as bridge:
        first = await bridge.call("place_limit_order", **ORDER, client_order_id="first")
        assert first.state is OrderState.WORKING, "unknown is no reason to refuse"
        await forgetting(bridge)
        with pytest.raises(NotPermitted, match="no live order is placed") as refused:
            await bridge.call("place_limit_order", **ORDER, client_order_id="second")
        assert "REQUIRE_DURABLE_REDIS" in str(refused.value)
        assert len(bridge.placed()) == 1
        assert (await bridge.call("cancel_order", order_id="first")).status == "Cancelled"


@pytest.mark.parametrize("mode", ["live", "paper"])
async def test_paper_orders_and_the_operators_own_word_pass_a_redis_that_forgets(mode: str) -> None:
    gateway = live_gateway() if mode == "live" else quiet_gateway()
    options: dict[str, Any] = {"ibkr_trading_mode": mode, "job_signing_secret": "a secret of the tests"}
    async with Bridge(gateway, require_durable_redis=mode == "paper", **options) as bridge:
        await forgetting(bridge)
        assert (await bridge.call("place_limit_order", **ORDER, client_order_id="k")).state is OrderState.WORKING
        assert bridge.worker.status().redis_durability is Durability.FORGETS
