"""Code that does not fit the contract fails type checking: the small files of ``tests/typing_cases`` are such code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "typing_cases"
BIN = Path(sys.executable).parent

CAUGHT_BY = {
    "fitting.py": (None, None),
    "missing_method.py": ("abstract", "reportAbstractUsage"),
    "renamed_parameter.py": (None, "reportIncompatibleMethodOverride"),  # mypy lets a renamed parameter pass
    "wrong_type.py": ("override", "reportIncompatibleMethodOverride"),
    "wrong_answer.py": ("override", "reportIncompatibleMethodOverride"),
}
"""Each case, and the rule by which mypy and basedpyright refuse it."""


@pytest.fixture(scope="module")
def mypy_says() -> dict[str, set[str]]:
    """The rules broken in each file, by mypy."""
    files = [str(CASES / name) for name in CAUGHT_BY]
    done = subprocess.run(
        [BIN / "mypy", "--no-error-summary", "--output", "json", *files],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found: dict[str, set[str]] = {name: set() for name in CAUGHT_BY}
    for line in done.stdout.splitlines():
        error = json.loads(line)
        found.setdefault(Path(error["file"]).name, set()).add(error["code"])
    assert done.returncode in {0, 1}, done.stderr
    return found


@pytest.fixture(scope="module")
def pyright_says() -> dict[str, set[str]]:
    """The rules broken in each file, by basedpyright."""
    files = [str(CASES / name) for name in CAUGHT_BY]
    done = subprocess.run(
        [BIN / "basedpyright", "--outputjson", *files],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found: dict[str, set[str]] = {name: set() for name in CAUGHT_BY}
    for error in json.loads(done.stdout)["generalDiagnostics"]:
        if error["severity"] == "error":
            found.setdefault(Path(error["file"]).name, set()).add(error["rule"])
    return found


def test_no_case_is_left_out() -> None:
    assert {path.name for path in CASES.glob("*.py")} - {"__init__.py"} == CAUGHT_BY.keys()


@pytest.mark.timeout(150)
@pytest.mark.parametrize("case", CAUGHT_BY)
def test_mypy_refuses_what_does_not_fit(case: str, mypy_says: dict[str, set[str]]) -> None:
    rule = CAUGHT_BY[case][0]
    assert mypy_says[case] == ({rule} if rule else set())


@pytest.mark.timeout(150)
@pytest.mark.parametrize("case", CAUGHT_BY)
def test_basedpyright_refuses_what_does_not_fit(case: str, pyright_says: dict[str, set[str]]) -> None:
    rule = CAUGHT_BY[case][1]
    assert pyright_says[case] == ({rule} if rule else set())
