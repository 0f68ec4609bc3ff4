"""A few of the schedules of ``make torture``, and what makes its verdicts worth something."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from broker_worker.orders.journal import Begun, Journal
from broker_worker.orders.sent_file import SentFile
from tests.end_to_end.processes import ROOT

from .play import play
from .schedules import Schedule, schedule
from .shrinking import shrunk
from .simulation import Simulation

pytestmark = pytest.mark.timeout(300)  # they work all the time, and another program may want the machine too

SEEDS = [str(number) for number in range(30)]


@pytest.mark.parametrize("first", range(0, len(SEEDS), 10))
def test_whatever_breaks_no_order_is_doubled_and_none_is_lost_sight_of(first: int) -> None:
    for seed in SEEDS[first : first + 10]:
        assert play(schedule(seed)).wrong == [], f"scripts/torture --seed {seed}"


def test_a_schedule_gives_the_same_log_every_time() -> None:
    for seed in SEEDS[:3]:
        assert play(schedule(seed)).log == play(schedule(seed)).log


def test_a_schedule_gives_the_same_log_in_every_process() -> None:
    logs = [_log_of_a_process(hash_seed) for hash_seed in ("1", "2")]
    assert logs[0] == logs[1]
    assert "everything is mended" in logs[0]


def _log_of_a_process(hash_seed: str) -> str:
    command = [sys.executable, "-m", "tests.torture", "--seed", "8"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50, check=True)
    return done.stdout


def test_a_schedule_survives_being_printed_and_read() -> None:
    assert Schedule.read(schedule("5").text()) == schedule("5")


def test_a_planted_fault_is_found_and_cut_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its three locks, a key that is used again sends a second order."""
    begin = Journal.begin

    async def always_new(journal: Journal, beginning: Any) -> Any:
        begun, word = await begin(journal, beginning)
        return (Begun.NEW, word or "1") if begun is Begun.SAME else (begun, word)

    async def nothing(_: Journal, key: str) -> None:
        """No record."""

    async def may_go(_: SentFile, sent: Any) -> bool:
        return True

    monkeypatch.setattr(Journal, "begin", always_new)
    monkeypatch.setattr(Journal, "get", nothing)
    monkeypatch.setattr(SentFile, "add", may_go)

    def doubles(candidate: Schedule) -> bool:
        return any("orders of one key" in wrong for wrong in play(candidate).wrong)

    found = next(seed for seed in SEEDS if doubles(schedule(seed)))
    shortest = shrunk(schedule(found), doubles)
    assert len(shortest.steps) == 2


def test_two_processes_that_stand_still_inside_a_step_both_go_on() -> None:
    simulation = Simulation("two", {})
    gone_on: list[str] = []

    def stand(name: str, seconds: float) -> None:
        process = simulation.process(name)

        def step() -> None:
            process.stopped_until = simulation.now + seconds
            process.stop_here()
            gone_on.append(name)

        process.call_later(1 if name == "outer" else 2, step)

    stand("outer", 3)
    stand("inner", 9)
    simulation.run(lambda: len(gone_on) == 2, 60)
    assert gone_on == ["inner", "outer"]
    simulation.close()
