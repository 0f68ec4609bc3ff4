"""Cutting a schedule that fails down to the shortest that still does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .schedules import Schedule, Step

MOST_PLAYS = 400
"""Of one shrinking; what is reached by then is shown."""


def shrunk(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """The shortest schedule found that still fails: steps left out, times made round, one worker where it will do."""
    left = MOST_PLAYS

    def still_fails(candidate: Schedule) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and fails(candidate)

    again = True
    while again and left > 0:
        before = schedule
        schedule = _shorter(schedule, still_fails)
        for candidate in _simpler(schedule):
            if still_fails(candidate):
                schedule = candidate
        again = schedule != before
    return schedule


def _shorter(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """Leave out halves, quarters, and so on, down to single steps."""
    size = max(len(schedule.steps) // 2, 1)
    while True:
        steps, at, cut = list(schedule.steps), 0, False
        while at < len(steps):
            fewer = steps[:at] + steps[at + size :]
            if fails(schedule.with_steps(fewer)):
                steps, cut = fewer, True
            else:
                at += size
        schedule = schedule.with_steps(steps)
        if size == 1 and not cut:
            return schedule
        size = max(size // 2, 1)


def _simpler(schedule: Schedule) -> Iterator[Schedule]:
    """One thing less each."""
    if schedule.workers > 1:
        yield schedule.with_one_worker()
    if schedule.skews:
        yield schedule.with_right_clocks()
    for number, step in enumerate(schedule.steps):
        for simple in _simpler_step(step):
            steps = [*schedule.steps]
            steps[number] = simple
            yield schedule.with_steps(steps)


def _simpler_step(step: Step) -> Iterator[Step]:
    if "leaves_after" in step:
        yield {name: value for name, value in step.items() if name != "leaves_after"}
    if step.get("ghost"):
        yield step | {"ghost": 0.0}
    for name in ("t", "seconds", "back"):
        if name in step and step[name] != round(step[name], 1):
            yield step | {name: round(step[name], 1)}
