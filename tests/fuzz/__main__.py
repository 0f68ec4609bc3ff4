"""``python -m tests.fuzz``: a hostile gateway and hostile jobs in numbers; the exit code says what broke."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from . import frames
from .storm import say, survived


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
    return int(not survived(options.frames, options.jobs, options.first))


if __name__ == "__main__":
    sys.exit(main())
