"""docs/faults.md names every test that breaks a real process, and none that is not there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE.parent.parent / "docs" / "faults.md"


def with_processes() -> set[str]:
    """Every test here that takes the house of processes."""
    return {
        node.name
        for path in HERE.glob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and any(argument.arg == "house" for argument in node.args.args)
    }


def test_the_table_of_faults_and_the_tests_say_the_same() -> None:
    named = re.findall(r"`(test_\w+)`", TABLE.read_text())
    assert len(named) == len(set(named))
    assert set(named) == with_processes()
