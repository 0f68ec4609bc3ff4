"""A reduced number of what ``python -m tests.fuzz`` does, the same every time."""

from __future__ import annotations

import logging

import pytest

from . import frames, jobs


@pytest.fixture(autouse=True)
def quietly(caplog: pytest.LogCaptureFixture) -> None:
    """What hostile gateways bring out is logged, thousands of times."""
    caplog.set_level(logging.CRITICAL)


#: 13 once put one request's answer among another's, 30 once made every later question about positions a defect.
@pytest.mark.parametrize("seed", [1, 2, 4, 13, 30])
def test_the_worker_survives_a_hostile_gateway(seed: int) -> None:
    told = frames.session(seed)
    assert told.wrong == []
    assert told.spoiled > 20


def test_the_worker_survives_hostile_jobs() -> None:
    answers = jobs.fuzz(150, derandomize=True)
    assert answers["UNREADABLE_JOB"] > 10
    assert answers["result"] > 0
