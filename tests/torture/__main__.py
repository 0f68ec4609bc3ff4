"""``make torture``: schedules of several faults each: thousands on a simulated clock, and some with real processes.

Then a hostile gateway and hostile jobs, as ``python -m tests.fuzz`` has them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.fuzz.storm import survived

from . import processes
from .play import Played, play
from .schedules import Schedule, schedule
from .shrinking import shrunk

_PLAYED_BY_A_POOL = 500
"""Schedules, before new processes go on: the Lua interpreters of each schedule keep some memory for ever."""


def say(text: str) -> None:
    """To whoever watches."""
    print(text, flush=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    parser.add_argument("--schedules", type=int, default=5_000, help="how many on the simulated clock")
    parser.add_argument("--processes", type=int, default=50, help="how many with real processes")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--frames", type=int, default=100_000, help="how many spoiled frames of a hostile gateway")
    parser.add_argument("--jobs", type=int, default=100_000, help="how many hostile jobs")
    parser.add_argument("--at-once", type=int, default=2, help="how many processes play them")
    parser.add_argument("--seed", help="play this one alone, and show what happens in it")
    parser.add_argument("--schedule", type=Path, help="the same with a schedule from a file")
    return parser.parse_args()


def fails(seed: str) -> str | None:
    """The seed where its schedule fails; for another process."""
    return seed if play(schedule(seed)).wrong else None


def failing(seeds: list[str], at_once: int) -> Iterator[str]:
    """The seeds whose schedules fail, as they are found."""
    began = time.monotonic()
    for start in range(0, len(seeds), _PLAYED_BY_A_POOL):
        some = seeds[start : start + _PLAYED_BY_A_POOL]
        with ProcessPoolExecutor(at_once) as pool:
            yield from filter(None, pool.map(fails, some, chunksize=10))
        say(f"{start + len(some)} of {len(seeds)} schedules after {time.monotonic() - began:.0f} s")


def show(played: Played) -> None:
    """A schedule, what happened in it, and what was wrong."""
    say(played.schedule.text())
    say("\n".join(played.log))
    for wrong in played.wrong:
        say(f"WRONG: {wrong}")


def main() -> int:
    """Play, and say what failed; the exit code says whether anything did."""
    options = arguments()
    if options.seed is not None or options.schedule is not None:
        chosen = Schedule.read(options.schedule.read_text()) if options.schedule else schedule(options.seed)
        played = play(chosen)
        show(played)
        return int(bool(played.wrong))
    failed = simulated([str(options.first + number) for number in range(options.schedules)], options.at_once)
    failed += processes.play_all([str(options.first + number) for number in range(options.processes)], say)
    calm = survived(options.frames, options.jobs)
    return int(bool(failed) or not calm)


def simulated(seeds: list[str], at_once: int) -> list[str]:
    """Play the schedules of these seeds on the simulated clock, and show those that fail at their shortest."""
    failed: list[str] = []
    for seed in failing(seeds, at_once):
        failed.append(seed)
        show(play(shrunk(schedule(seed), lambda candidate: bool(play(candidate).wrong))))
        say(f"Seed {seed} fails; the above is its shortest form. The whole: scripts/torture --seed {seed}")
    say(f"{len(seeds)} schedules on the simulated clock, {len(failed)} failed: {' '.join(failed) or 'none'}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
