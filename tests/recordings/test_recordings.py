"""The corpus is whole, is what today's code makes, and is answered as it was when it was made."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker_worker.replaying.command import replayed
from shared.contract import OPERATIONS
from simulated_gateway.control_http import LEVERS
from simulated_gateway.recording.lines import Line, lines_of

from .make import FILES, RECORDING, TRANSCRIPT, Corpus, differing, made
from .scenario import SCENARIOS

RECORDINGS = sorted(FILES.glob(f"*/*.{RECORDING}"))

HANDLES = frozenset({"beat", "advance", "clear_faults", "unmute"})
"""Levers that break nothing by themselves: they move the time, or mend."""

CODES = frozenset(
    {100, 101, 162, 200, 201, 202, 321, 326, 354, 420, 451, 1100, 1101, 1102, 1300, 2103, 2104, 10167, 10197}
)
"""The gateway's errors that mean something of their own to the worker, as far as the simulated gateway has them."""


@pytest.fixture(scope="module")
def corpus() -> Iterator[Corpus]:
    """Everything, made anew."""
    logging.disable(logging.CRITICAL)
    yield made()
    logging.disable(logging.NOTSET)


def transcript_of(recording: Path) -> Path:
    return recording.with_name(recording.name.replace(RECORDING, TRANSCRIPT))


@pytest.mark.timeout(300)
def test_the_files_are_what_todays_code_makes(corpus: Corpus) -> None:
    """Where they are not, `python -m tests.recordings.make` writes them, and `git diff` shows what changed."""
    assert differing(corpus) == []


def test_every_lever_of_the_gateway_is_pulled_in_some_scenario(corpus: Corpus) -> None:
    assert sorted(LEVERS - HANDLES - corpus.pulled) == []


def test_every_tool_that_the_worker_answers_is_in_some_transcript() -> None:
    jobs = [json.loads(line) for path in RECORDINGS for line in transcript_of(path).read_text().splitlines()[1:]]
    answered = {job["operation"] for job in jobs if "result" in job["answer"]}
    expected = {name for name, operation in OPERATIONS.items() if operation.marker.answered_by == "worker"}
    assert answered == expected


def is_error(line: Line) -> bool:
    return line.side == "gateway" and line.fields[:1] == ("4",)


def test_every_error_that_means_something_is_in_some_recording() -> None:
    told = {int(line.fields[3]) for path in RECORDINGS for line in lines_of(path) if is_error(line)}
    assert sorted(CODES - told) == []


def test_every_scenario_has_its_pair_of_files() -> None:
    assert {path.name.split(".")[0] for path in RECORDINGS} == SCENARIOS.keys()
    assert all(transcript_of(path).exists() for path in RECORDINGS)


def test_nobody_is_in_the_files() -> None:
    named = [path.name for path in FILES.glob("*/*.jsonl") if "DU1234567" in path.read_text()]
    assert named == []


def replay(recording: Path) -> tuple[list[Any], list[str]]:
    outcomes, unmatched = replayed(transcript_of(recording), recording)
    return [f"{one.job.operation}: {one.difference}" for one in outcomes if one.difference], unmatched


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_a_recording_is_answered_as_it_was(recording: Path) -> None:
    assert replay(recording) == ([], [])
