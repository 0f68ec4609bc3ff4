"""A hostile gateway and hostile jobs in numbers."""

from __future__ import annotations

import logging
import time

from . import frames, jobs


def survived(frame_count: int, job_count: int, first: int = 0) -> bool:
    """Spoil so many frames and put so many hostile jobs; whether nothing went wrong. Says what did."""
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    spoiled, asked, wrong = frames.sessions(frame_count, first)
    took = time.monotonic() - began
    say(f"{spoiled} frames spoiled, {asked} jobs meanwhile, {len(wrong)} sessions wrong, {took:.0f} s")
    for told in wrong:
        say(f"  python -m tests.fuzz --seed {told.seed}: {told.wrong[0]}")
    began = time.monotonic()
    answers = jobs.fuzz(job_count, derandomize=False) if job_count else {}
    words = ", ".join(f"{count} {code}" for code, count in sorted(answers.items()))
    say(f"{sum(answers.values())} hostile jobs, 0 crashes, {time.monotonic() - began:.0f} s: {words}")
    logging.disable(logging.NOTSET)
    return not wrong


def say(text: str) -> None:
    """To whoever watches."""
    print(text, flush=True)
