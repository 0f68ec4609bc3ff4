"""``docker compose --profile demo up``, as a stranger would have it: used, looked at, and broken part by part."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from shared.order_records import order_key
from tests.end_to_end.doors import MODERN, fastmcp_client
from tests.end_to_end.story import Story, every_tool

from .deployment import PROJECT, UP_SECONDS, Deployment
from .load import Load

OURS = ("mcp-frontend", "broker-worker", "redis", "load-balancer", "simulated-gateway")


async def test_every_tool_answers_through_the_load_balancer(deployment: Deployment) -> None:
    knock = fastmcp_client(MODERN)
    async with knock(deployment.url) as first, knock(deployment.url) as second:
        await every_tool(await Story.begun(first, second), "compose")


async def test_the_status_page_shows_every_process(deployment: Deployment) -> None:
    async with httpx2.AsyncClient(timeout=20) as http:
        page = (await http.get(deployment.url.removesuffix("mcp"))).text
    assert "<strong>PAPER</strong>" in page
    assert ">worker<" in page
    assert page.count(">frontend ") == 3


async def test_calls_are_spread_over_all_three_frontends(deployment: Deployment) -> None:
    frontends = deployment.containers("mcp-frontend")
    assert len(frontends) == 3
    before = {name: len(deployment.log(name)) for name in frontends}
    load = Load(deployment.url)
    async with load.going():
        await load.more(150)
    served = {name: len(deployment.log(name)) - before[name] for name in frontends}
    assert min(served.values()) > max(served.values()) / 3, served


@pytest.mark.parametrize("service", OURS)
def test_every_container_is_hardened_as_declared(deployment: Deployment, service: str) -> None:
    for container in deployment.containers(service):
        about = deployment.inspect(container)
        host: dict[str, Any] = about["HostConfig"]
        assert about["Config"]["User"] == "10001:10001"
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Privileged"] is False
        assert "noexec" in host["Tmpfs"]["/tmp"]
        assert min(host["Memory"], host["NanoCpus"], host["PidsLimit"]) > 0
        assert host["LogConfig"]["Config"]["max-size"] == "10m"


def test_one_port_is_published_and_only_on_this_machine(deployment: Deployment) -> None:
    published = {
        (port, binding["HostIp"], binding["HostPort"])
        for container in deployment.everything()["containers"]
        for port, bindings in deployment.inspect(container)["NetworkSettings"]["Ports"].items()
        for binding in bindings or ()
    }
    assert published == {("8080/tcp", "127.0.0.1", str(deployment.port))}


def test_the_frontends_cannot_reach_the_gateway_nor_redis_the_world(deployment: Deployment) -> None:
    networks = {
        service: {name.partition("_")[2] for name in deployment.inspect(ids[0])["NetworkSettings"]["Networks"]}
        for service in OURS
        if (ids := deployment.containers(service))
    }
    assert networks == {
        "load-balancer": {"edge"},
        "mcp-frontend": {"edge", "bus"},
        "broker-worker": {"bus", "broker"},
        "redis": {"bus"},
        "simulated-gateway": {"broker"},
    }


def test_the_secrets_are_made_and_only_their_owners_may_read_them(deployment: Deployment) -> None:
    listed = deployment.run_in("broker-worker", "ls", "-ln", "/run/bridge").splitlines()[1:]
    assert {(line.split()[0], line.split()[2], line.split()[-1]) for line in listed} == {
        ("-rw-------", "10001", "job_signing_secret"),
        ("-rw-------", "10001", "redis_url"),
    }
    environment = deployment.inspect(deployment.containers("broker-worker")[0])["Config"]["Env"]
    assert "JOB_SIGNING_SECRET=" in environment
    assert "REDIS_URL=" in environment


async def test_frontends_restarted_in_turn_say_so_first_and_refuse_nobody(deployment: Deployment) -> None:
    (balancer,) = deployment.containers("load-balancer")
    load = Load(deployment.url)
    async with load.going():
        for container in deployment.containers("mcp-frontend"):
            await load.more(10)
            await asyncio.to_thread(deployment.run_engine, "restart", container)
            await asyncio.to_thread(deployment.compose, "up", "-d", "--no-recreate", "--wait", "mcp-frontend")
        await load.more(30)
    assert (load.lost, load.refused) == ([], [])
    # What the load balancer saw first was not a closed door.
    assert deployment.run_engine("logs", balancer).count("DOWN, reason: Layer7 wrong status, code: 503") >= 3


@pytest.mark.parametrize("service", ["broker-worker", "redis", "simulated-gateway"])
async def test_a_restart_under_load_loses_no_answer_and_doubles_no_order(deployment: Deployment, service: str) -> None:
    load = Load(deployment.url)
    async with load.going():
        await load.more(30)
        container = deployment.containers(service)[0]
        await asyncio.to_thread(deployment.run_engine, "restart", container)
        await load.more(60)
    assert load.lost == []
    assert all(text.split(":")[0].isupper() and "Do: " in text for text in load.refused), load.refused
    ledger = [entry for entry in deployment.gateway("ledger")["result"] if entry["kind"] == "place"]
    assert max(Counter(entry["order_ref"] for entry in ledger).values()) == 1
    placed = {entry["order_ref"] for entry in ledger}
    said_to_work = {order_key("local", name) for name, state in load.orders.items() if state == "WORKING"}
    assert said_to_work
    assert said_to_work <= placed


async def test_a_second_login_is_one_more_file(deployment: Deployment) -> None:
    deployment.compose("up", "-d", "--wait", seconds=UP_SECONDS, second_login=True)
    async with fastmcp_client(MODERN)(deployment.url) as client:

        async def ask(tool: str, **arguments: str) -> Mapping[str, Any]:
            return (await client.call(tool, arguments)).structured or {}

        async with asyncio.timeout(60):
            while not (status := await ask("get_status")).get("ready"):  # noqa: ASYNC110 - it sends no event
                await asyncio.sleep(0.2)
        (second,) = status["further_sessions"]
        assert (status["worker"]["accounts"], second["accounts"]) == (["DU1234567"], ["DU7654321"])
        for account in ("DU1234567", "DU7654321"):
            assert (await ask("get_account_summary", account=account))["account"] == account
    broker = f"{PROJECT}_broker"
    (worker,) = deployment.containers("broker-worker")
    assert broker in deployment.inspect(worker)["NetworkSettings"]["Networks"]
    for service in ("second-broker-worker", "second-simulated-gateway"):
        (container,) = deployment.compose("ps", "-aq", service, second_login=True).split()
        assert broker not in deployment.inspect(container)["NetworkSettings"]["Networks"]
