"""What the worker's log says of jobs: a line for what trades, what is refused and what is slow; no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from broker_worker import jobs
from shared.envelope import VERSION

from .harness import Bridge, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="bridge")
async def opened_bridge() -> AsyncIterator[Bridge]:
    """A worker of this module's own, so that nobody else's jobs are in its log."""
    async with Bridge() as opened:
        yield opened


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The operations of which the log has a line."""
    return [str(vars(record).get("operation")) for record in caplog.records if record.name == jobs.log.name]


async def test_a_quick_read_is_left_to_the_frontends_line(bridge: Bridge, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await bridge.call("get_positions")
        await bridge.call("cancel_order", order_id="1")
        await until(lambda: "cancel_order" in lines(caplog))
    assert "get_positions" not in lines(caplog)


async def test_a_slow_read_has_a_line(
    bridge: Bridge, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SLOW_SECONDS", 0.0)
    with caplog.at_level(logging.INFO):
        await bridge.call("get_positions")
        await until(lambda: lines(caplog) == ["get_positions"])


async def test_a_refusal_has_a_line_with_its_code(bridge: Bridge, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for envelope in (bridge.envelope("delete_everything"), bridge.envelope("get_orders", v=VERSION + 1)):
            await bridge.put(envelope)
        await until(lambda: len([one for one in caplog.records if "UNREADABLE_JOB" in one.getMessage()]) == 2)


async def test_a_caller_that_left_is_no_stop_of_the_worker(bridge: Bridge, caplog: pytest.LogCaptureFixture) -> None:
    bridge.control.mute()
    with caplog.at_level(logging.DEBUG, logger=jobs.log.name):
        asking = asyncio.create_task(bridge.call("search_contracts", pattern="LEAVES"))
        await until(lambda: bridge.worker.jobs.running["queries"] == 1)
        asking.cancel()
        await until(lambda: any(record.getMessage().endswith(": left") for record in caplog.records))
    bridge.control.unmute()


async def test_whoever_debugs_sees_every_job(bridge: Bridge, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger=jobs.log.name):
        await bridge.call("get_positions")
        await until(lambda: lines(caplog) == ["get_positions"])
