"""The broker worker as in production, serving the benchmarks' area too."""

from __future__ import annotations

import asyncio
import cProfile
import logging
import os
import signal

from benchmarks.tools import BenchDesk, BenchTools, declare
from broker_worker.bootstrap import build
from broker_worker.settings import WorkerSettings
from shared import event_loop, logs
from shared.redis_store import Store
from shared.settings import load


async def main() -> None:
    declare()
    settings = load(WorkerSettings)
    logs.configure(settings.log_level, {"arq": logging.WARNING, "ib_async": logging.CRITICAL})
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await build(settings, Store.at(settings.redis_url), further={BenchTools: BenchDesk()}).run(stop)


if __name__ == "__main__":
    if profile := os.environ.get("BENCH_PROFILE"):
        cProfile.run("event_loop.run(main())", profile)
    else:
        event_loop.run(main())
