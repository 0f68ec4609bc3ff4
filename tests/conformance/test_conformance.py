"""The wire is the specification's, in the eyes of the suite its authors publish.

Scenarios are counted and the exit code is read. Single checks prove less: some pass where there is no such tool.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Set
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import FastMCP
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext

from mcp_frontend.http import HttpServer, build_app, listen
from mcp_frontend.settings import FrontendSettings
from tests.frontend.conftest import serve
from tests.frontend.standin import SECRET, stand_in_worker

from .fixtures import TOOLS, fixture_server
from .pushing import PUSHING
from .suite import HERE, Outcome, installed, required, run_suite

BASELINE = HERE / "baseline-2025-11-25.yaml"
NEEDS_A_PUSH = {entry for entry in re.findall(r"^  - (\S+)$", BASELINE.read_text(), re.MULTILINE) if ":" not in entry}

pytestmark = [
    pytest.mark.timeout(360),  # the first run may install the suite
    # The suite still asks for logging, sampling and roots, which revision 2026-07-28 deprecates.
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]


class Called(Middleware):
    """Notes which tools were called."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    async def on_call_tool(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        self.names.add(context.message.name)
        return await call_next(context)


@asynccontextmanager
async def listening(server: FastMCP[Any]) -> AsyncIterator[str]:
    """The endpoint of a server behind our own app factory, until the block ends."""
    door = listen("127.0.0.1", 0)
    app = build_app(server, FrontendSettings(job_signing_secret=SECRET), says_more=True)  # one of the tools logs
    http = HttpServer(app, grace=5)
    serving = asyncio.create_task(http.serve(sockets=[door]))
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}/mcp"
    finally:
        http.stop()
        await serving


async def judge_fixtures(
    revision: str, folder: Path, must_pass: Set[str], baseline: Path | None = None
) -> tuple[Outcome, set[str]]:
    server, called = fixture_server(), Called()
    server.add_middleware(called)
    async with listening(server) as url:
        return await run_suite(url, revision, folder, must_pass, baseline=baseline), called.names


def names(tools: Iterable[Callable[..., Any]]) -> set[str]:
    return {tool.__name__ for tool in tools}


async def test_every_scenario_that_2026_07_28_requires_passes(tmp_path: Path) -> None:
    await installed()
    scenarios = required("2026-07-28")
    outcome, called = await judge_fixtures("2026-07-28", tmp_path, scenarios)
    assert len(scenarios) == 37
    assert scenarios <= outcome.scenarios.keys()
    assert not scenarios & outcome.failed(), outcome.summary
    assert outcome.exit_code == 0, outcome.summary
    assert names(TOOLS) - names(PUSHING) - {"test_tool_with_logging"} <= called


async def test_at_2025_11_25_only_what_needs_a_push_to_the_client_fails(tmp_path: Path) -> None:
    await installed()
    scenarios = required("2025-11-25")
    outcome, called = await judge_fixtures("2025-11-25", tmp_path, scenarios - NEEDS_A_PUSH, BASELINE)
    assert len(scenarios) == 30
    assert scenarios <= outcome.scenarios.keys()
    assert scenarios & outcome.failed() == NEEDS_A_PUSH, outcome.summary
    assert outcome.exit_code == 0, outcome.summary
    assert names(PUSHING) <= called


APPLICABLE = {
    "2026-07-28": {
        "server-stateless",
        "tools-list",
        "server-sse-multiple-streams",
        "resources-list",
        "sep-2164-resource-not-found",
        "prompts-list",
        "dns-rebinding-protection",
        "caching",
        "input-required-result-unsupported-methods",
        "http-header-validation",
    },
    "2025-11-25": {
        "server-initialize",
        "logging-set-level",
        "ping",
        "tools-list",
        "resources-list",
        "prompts-list",
        "dns-rebinding-protection",
    },
}
"""The scenarios that ask for no tool, resource or prompt of the suite's own."""

DIAGNOSTIC = {"sep-2575-server-rejects-undeclared-capability", "sep-2575-missing-capability-http-400"}
"""Checks of `server-stateless` that call a tool of the suite's own: no tool of ours asks anything of the client."""


@pytest.mark.parametrize("revision", APPLICABLE)
async def test_the_product_itself_passes_every_scenario_that_needs_no_fixture(
    revision: str, valkey: str, tmp_path: Path
) -> None:
    applicable = APPLICABLE[revision]
    async with stand_in_worker(valkey), serve(valkey) as served:
        outcome = await run_suite(served.endpoint, revision, tmp_path, applicable, excused=DIAGNOSTIC)
    assert not applicable & outcome.failed(excused=DIAGNOSTIC), outcome.summary
    idle = [scenario for scenario in applicable if "SUCCESS" not in outcome.scenarios[scenario].values()]
    assert not idle, "these checked nothing"
