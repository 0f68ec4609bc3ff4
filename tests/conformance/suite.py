"""Runs the official conformance suite against a server that listens, and says what came of each scenario.

In some checks the suite waits half a second for an answer, less than a busy machine may take. So a run in which
something failed that should not is repeated, twice at most: what is wrong fails every time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.foreign_clients.installing import node_with

HERE = Path(__file__).parent
PACKAGE = HERE / "node_modules" / "@modelcontextprotocol" / "conformance"
SECONDS = 50
RUNS = 3


@dataclass(frozen=True)
class Outcome:
    """What the suite said of one server."""

    exit_code: int
    scenarios: dict[str, dict[str, str]]
    """By scenario: each check that ran and its status; failed where it ran more than once and failed once."""
    summary: str
    """The end of what it printed."""

    def failed(self, excused: Set[str] = frozenset()) -> set[str]:
        """The scenarios with a failing check that is not excused."""
        return {
            scenario
            for scenario, checks in self.scenarios.items()
            if {check for check, status in checks.items() if status == "FAILURE"} - excused
        }


async def run_suite(
    url: str,
    revision: str,
    folder: Path,
    must_pass: Set[str],
    *,
    baseline: Path | None = None,
    excused: Set[str] = frozenset(),
) -> Outcome:
    """The outcome of every scenario that a revision requires; again, where one of ``must_pass`` failed."""
    for attempt in range(RUNS):
        outcome = await _run_once(url, revision, folder / f"run-{attempt}", baseline)
        if must_pass <= outcome.scenarios.keys() - outcome.failed(excused):
            break
    return outcome


async def _run_once(url: str, revision: str, folder: Path, baseline: Path | None) -> Outcome:
    node = await installed()
    command = [str(node), str(PACKAGE / "dist" / "index.js"), "server", "--url", url, "--requirements", revision]
    command += ["--output-dir", str(folder)]
    if baseline is not None:
        command += ["--expected-failures", str(baseline)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    _, _, summary = said.decode().rpartition("=== SUMMARY ===")
    return Outcome(process.returncode, _scenarios(folder), summary)


async def installed() -> Path:
    """Node, once the suite is there; skips the test where it cannot be had."""
    return await asyncio.to_thread(node_with, HERE)


def required(revision: str) -> set[str]:
    """The scenarios for servers that decide whether a revision is conformed to, as the suite lists them."""
    lines = (PACKAGE / "requirements" / f"{revision}.yaml").read_text().splitlines()
    begin = lines.index("server:") + 1
    entries = lines[begin : lines.index("", begin)]
    return {entry.strip().removeprefix("- ") for entry in entries}


def _scenarios(folder: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for file in sorted(folder.glob("server-*/checks.json")):
        scenario = file.parent.name.removeprefix("server-").rsplit("-", 6)[0]
        checks: list[dict[str, Any]] = json.loads(file.read_text())
        verdicts = found.setdefault(scenario, {})
        for check in checks:
            if verdicts.get(check["id"]) != "FAILURE":
                verdicts[check["id"]] = check["status"]
    return found
