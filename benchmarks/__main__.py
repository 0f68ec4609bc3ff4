"""``python -m benchmarks``: measures, prints one table, writes it as JSON. Nothing fails on speed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import endurance, http, lanes, market, orders, queue
from benchmarks.calls import Caller
from benchmarks.figures import Figure, table
from benchmarks.system import SECRET, SESSION, running
from benchmarks.tools import declare
from shared import event_loop

RESULTS = Path(__file__).parent / "results"
PARTS = ("queue", "idle", "http", "lanes", "market", "orders", "long")


def say(text: str) -> None:
    """What is being done, beside the table."""
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    parser.add_argument("--long", action="store_true", help="the long runs too")
    parser.add_argument("--jobs", type=int, default=1_000_000, help="jobs of the long run")
    parser.add_argument("--calls", type=int, default=50_000, help="HTTP calls of the long run")
    parser.add_argument("--only", choices=PARTS, action="append", help="only these parts")
    return parser.parse_args()


async def measure(options: argparse.Namespace) -> list[Figure]:
    """Every figure, in the order of the table."""
    wanted = set(options.only or PARTS[:-1]) | ({"long"} if options.long else set())
    repeats, share = (3, 5) if options.quick else (9, 1)
    figures: list[Figure] = []
    declare()
    async with running() as system, Caller.at(system.url, SESSION, SECRET) as caller:
        if "idle" in wanted:
            say("an idle worker")
            figures.append(await queue.idle(system, seconds=20 / share))
        if "queue" in wanted:
            await system.child("echo", system.url)
            say("empty jobs, one caller")
            figures.append(await queue.one_caller(system, caller, repeats=repeats, rounds=1000 // share))
            say("empty jobs, 64 callers")
            figures += await queue.a_crowd(system, caller, repeats=repeats // 2 + 1, rounds=12_800 // share)
        if "http" in wanted:
            say("get_positions over HTTP")
            figures.append(await http.positions(system, repeats=repeats, rounds=300 // share))
        if "lanes" in wanted:
            say("a cancel behind a thousand queries")
            figures += await lanes.cancelling(system, caller, count=30 // share)
        if "market" in wanted:
            figures += await market.figures(system, caller, quick=options.quick, say=say)
        if "long" in wanted:
            figures += await endurance.endurance(system, caller, jobs=options.jobs, calls=options.calls, say=say)
    if "orders" in wanted:
        say("orders, with Redis on the disk")
        figures.append(await orders.acknowledged(rounds=200 // share))
    return figures


def main() -> None:
    options = arguments()
    load_before = os.getloadavg()[0]
    figures = event_loop.run(measure(options))
    print(table(figures))
    now = datetime.now(UTC)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y%m%d-%H%M%S}.json"
    about = {
        "at": now.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_before": round(load_before, 2),
        "quick": options.quick,
        "figures": [figure.as_json() for figure in figures],
    }
    path.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    say(f"load before: {load_before:.2f}; written to {path.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
