"""Playing one schedule from its start to the verdict."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from broker_worker import fail_points
from broker_worker.orders.position_evidence import EXCHANGE_DAY, STILL_ARRIVING

from . import verdict
from .house import SimulatedHouse
from .patches import Said, simulated
from .schedules import LASTS, Schedule
from .simulation import START, Simulation, Spins

READY_SECONDS = 60.0
"""After everything is mended: until the house serves and every caller has its answer."""
SETTLE_SECONDS = 30.0
"""And then until every record is up to date, and past every deadline."""
_SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a schedule."""

    schedule: Schedule
    wrong: list[str]
    log: list[str]


def play(schedule: Schedule) -> Played:
    """Play a schedule; the same one gives the same log every time."""
    log: list[str] = []
    simulation = Simulation(f"run {schedule.seed}", schedule.skews)

    def say(text: str) -> None:
        log.append(f"{simulation.now - START:8.4f} {text}")

    where = str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None
    with TemporaryDirectory(prefix="torture-", dir=where) as folder, _collected_afterwards():
        said = Said(say)
        with simulated(simulation, datetime.fromisoformat(schedule.start), said):
            house = SimulatedHouse(simulation, schedule, Path(folder), say)
            said.complain = house.defect
            reach = fail_points.reach
            setattr(fail_points, "reach", house.levers.reach)  # noqa: B010 - a function in place of a function
            try:
                wrong = _play(house)
            except Spins as spins:
                wrong = [str(spins)]
            finally:
                simulation.close()
                house.redis.close()
                setattr(fail_points, "reach", reach)  # noqa: B010 - as above
        troubles = [trouble for process in simulation.processes for trouble in process.troubles]
        return Played(schedule, [*wrong, *house.complaints, *troubles], log)


def _until_positions_tell(schedule: Schedule) -> float:
    """Around the exchange's midnight: how long an order without a trace is not judged yet."""
    start = datetime.fromisoformat(schedule.start).astimezone(EXCHANGE_DAY)
    crosses = (start + timedelta(seconds=LASTS)).date() != start.date()
    return STILL_ARRIVING.total_seconds() if crosses else 0.0


def _play(house: SimulatedHouse) -> list[str]:
    simulation = house.simulation
    if any(step.get("what") == "roll_back" for step in house.schedule.steps):
        house.redis.copy_every(0.1)
    for step in house.schedule.steps:
        simulation.at(START + step["t"], partial(house.do, step))
    simulation.run(lambda: False, LASTS)
    house.mend()

    def served() -> bool:
        return house.leader is not None and all(asked.left or asked.answered_at for asked in house.asked)

    if not simulation.run(served, READY_SECONDS):
        states = [str(worker.built and worker.built.link.state) for worker in house.workers.values()]
        open_calls = [asked for asked in house.asked if not asked.left and not asked.answered_at]
        house.complain(f"the house does not serve: links {states}; unanswered {open_calls}")
    simulation.run(lambda: False, SETTLE_SECONDS + _until_positions_tell(house.schedule))
    return verdict.reach(house)


@contextmanager
def _collected_afterwards() -> Iterator[None]:
    """Memory is collected when everything has been taken apart, not in the middle of somebody's step."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
