"""Puts the report together and prints it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from broker_worker.doctor import gateway_side, own_side, redis_side
from broker_worker.doctor.findings import Finding, Level, fail
from broker_worker.settings import WorkerSettings
from shared import clock
from shared.redis_store import Store
from shared.settings import load

LIMIT_SECONDS = 27.0
"""For each side; they are looked at together, and a report takes less than 30 seconds in all."""


def run() -> int:
    """Print the report; the exit code: 0, or 1 where something fails."""
    logging.getLogger().addHandler(logging.NullHandler())  # the report is all there is to read
    try:
        settings = load(WorkerSettings)
    except SystemExit as wrong:
        print(fail("settings", str(wrong.code), "correct these variables in .env or the environment").line())
        return 1
    findings = asyncio.run(examined(settings))
    for finding in findings:
        print(finding.line())
    worst = [finding for finding in findings if finding.level is Level.FAIL]
    print(f"\n{len(worst)} to be mended now" if worst else "\nnothing has to be mended now")
    return 1 if worst else 0


async def examined(settings: WorkerSettings) -> list[Finding]:
    """Everything there is to say, in the order in which a beginner should read it."""
    now = clock.now()
    store = Store.at(settings.redis_url)
    try:
        redis, gateway = await asyncio.gather(
            _in_time("redis", redis_side.look(settings, store)), _in_time("gateway", gateway_side.look(settings, now))
        )
    finally:
        await store.close()
    return [*own_side.look(settings, now), *redis, *gateway]


async def _in_time(subject: str, look: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            return await look
    except TimeoutError:
        return [fail(subject, f"it did not answer within {LIMIT_SECONDS:.0f} s", "look whether it hangs")]
