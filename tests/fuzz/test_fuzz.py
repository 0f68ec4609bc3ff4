"""A reduced number of what ``python -m tests.fuzz`` does, the same every time."""

from __future__ import annotations

import logging
import random

import pytest

from simulated_gateway.sessions.connection import Sink

from . import frames, jobs
from .hostile_gateway import HostileSink
from .lone_worker import LoneWorker


@pytest.fixture(autouse=True)
def quietly(caplog: pytest.LogCaptureFixture) -> None:
    """What hostile gateways bring out is logged, thousands of times."""
    caplog.set_level(logging.CRITICAL)


#: 30 once made every later question about positions a defect.
@pytest.mark.parametrize("seed", [1, 2, 4, 30])
def test_the_worker_survives_a_hostile_gateway(seed: int) -> None:
    told = frames.session(seed)
    assert told.wrong == []
    assert told.spoiled > 20


def test_the_worker_survives_hostile_jobs() -> None:
    answers = jobs.fuzz(150, derandomize=True)
    assert answers["UNREADABLE_JOB"] > 10
    assert answers["result"] > 0


def test_what_cannot_be_read_is_said_and_what_follows_it_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    """One spoiled position in the middle of the list: it is named in the log, the others are served."""

    class OneSpoiled(HostileSink):
        def _one(self, whole: bytes) -> bytes:
            return whole.replace(b"310.55", b"3x0.55") if b"MSFT" in whole else whole

    def through(sink: Sink) -> Sink:
        return OneSpoiled(sink, random.Random(0), 0, breaks_framing=0)

    caplog.set_level(logging.ERROR)
    with LoneWorker(through=through) as lone:
        lone.run(lone.ready())
        answer = lone.run(lone.ask("get_positions"))
    symbols = [row["symbol"] for row in answer["result"]["items"]]
    assert sorted(symbols) == ["AAPL", "SAP", "TSLA"]
    assert "MSFT" in caplog.text
