"""What the worker shows Prometheus, and that the alert rules ask for nothing that is not there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from mcp_frontend.metrics import FrontendMetrics
from mcp_frontend.status import Sizes
from tests.conftest import free_port
from tests.worker.harness import Bridge

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yaml"
LIMIT: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": "100"}


async def shown(port: int) -> dict[tuple[str, ...], float]:
    """Every sample, by its name and the values of its labels."""

    def read() -> str:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
            return str(response.read().decode())

    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(await asyncio.to_thread(read))
        for sample in family.samples
    }


async def test_jobs_messages_lines_and_orders_are_counted() -> None:
    port = free_port()
    async with Bridge(metrics_port=port) as bridge:
        await bridge.call("place_limit_order", **LIMIT)
        await bridge.call("get_stock_price", symbol="AAPL")
        await bridge.put(bridge.envelope("invented_by_a_thief"))
        samples = await shown(port)
    assert samples["ibkr_worker_jobs_total", "place_limit_order", "WORKING"] == 1
    assert samples["ibkr_worker_job_seconds_count", "get_stock_price"] == 1
    assert samples["ibkr_worker_jobs_total", "unknown", "UNREADABLE_JOB"] == 1
    assert not any("invented" in label for sample in samples for label in sample)
    assert samples["ibkr_orders", "main", "WORKING"] == 1
    assert samples["ibkr_gateway_messages_total", "order", "main"] == 1
    assert samples["ibkr_market_data_lines", "main"] == 1
    assert (samples["ibkr_worker_leads", "main"], samples["ibkr_worker_epoch", "main"]) == (1, 1)
    assert not any("DU1234567" in label for sample in samples for label in sample)


async def test_a_reconnection_is_counted_and_the_state_of_the_link_is_shown() -> None:
    port = free_port()
    async with Bridge(metrics_port=port) as bridge:
        before = await shown(port)
        bridge.control.drop_links()
        async with asyncio.timeout(10):
            while bridge.worker.link.connections < 2:  # noqa: ASYNC110 - the link sends no event for it
                await asyncio.sleep(0.01)
        after = await shown(port)
    assert before["ibkr_link_connections_total", "main"] == 1
    assert after["ibkr_link_connections_total", "main"] == 2
    assert after["ibkr_link_state", "main", "ready"] == 1
    assert sum(value for sample, value in after.items() if sample[0] == "ibkr_link_state") == 1


async def test_every_metric_that_an_alert_names_exists_and_every_alert_says_what_to_do() -> None:
    port = free_port()
    async with Bridge(metrics_port=port) as bridge:
        await bridge.call("get_positions")
        known = {name for name, *_ in await shown(port)}
    frontend = FrontendMetrics(["main"], readonly=False)
    frontend.observe("get_positions", "OK", 0.1)
    sizes = Sizes(worker_running=True, trades=0, queries=0, orders_unknown=0)
    text = frontend.text([sizes]).decode()
    known |= {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    for rule in rules:
        named = set(re.findall(r"\bibkr_[a-z_]+", rule["expr"]))
        assert named
        assert named <= known, rule["alert"]
        assert {"summary", "action"} == set(rule["annotations"])
    alerts = {rule["alert"] for rule in rules}
    assert {"GatewayLinkLost", "OrdersUnknown", "LeaseLost", "ReadonlyDisagreement"} <= alerts


async def test_without_a_port_nothing_is_served() -> None:
    async with Bridge() as bridge:
        assert bridge.worker.settings.metrics_port == 0
