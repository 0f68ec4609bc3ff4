"""``python -m tests.fuzz``: a hostile gateway and hostile jobs in numbers; the exit code says what broke."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence

from . import frames, jobs


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz so many frames and jobs, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000, help="spoiled frames")
    parser.add_argument("--jobs", type=int, default=100_000, help="hostile jobs")
    parser.add_argument("--first", type=int, default=0, help="the first session's seed")
    parser.add_argument("--seed", type=int, help="run this one session alone, with its log")
    options = parser.parse_args(argv)
    if options.seed is not None:
        logging.basicConfig(level=logging.INFO)
        told = frames.session(options.seed)
        say(f"{told.spoiled} frames spoiled; wrong: {told.wrong or 'nothing'}")
        return int(bool(told.wrong))
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    spoiled, asked, wrong = frames.sessions(options.frames, options.first)
    took = time.monotonic() - began
    say(f"{spoiled} frames spoiled, {asked} jobs meanwhile, {len(wrong)} sessions wrong, {took:.0f} s")
    for told in wrong:
        say(f"  --seed {told.seed}: {told.wrong[0]}")
    began = time.monotonic()
    answers = jobs.fuzz(options.jobs, derandomize=False) if options.jobs else {}
    words = ", ".join(f"{count} {code}" for code, count in sorted(answers.items()))
    say(f"{sum(answers.values())} hostile jobs, 0 crashes, {time.monotonic() - began:.0f} s: {words}")
    return int(bool(wrong))


def say(text: str) -> None:
    """To whoever watches."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
