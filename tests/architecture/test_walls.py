"""Which room may import what, looked at in a process that imported only that room."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = frozenset({"shared", "mcp_frontend", "broker_worker", "simulated_gateway", "demo"})

FORBIDDEN = {
    "shared": {"fastmcp", "mcp", "ib_async", "mcp_frontend", "broker_worker", "simulated_gateway", "demo"},
    "mcp_frontend": {"ib_async", "ib_insync", "broker_worker", "simulated_gateway", "demo"},
    "broker_worker": {"fastmcp", "mcp", "mcp_frontend", "simulated_gateway", "demo"},
    "simulated_gateway": {"fastmcp", "mcp", "ib_async", "mcp_frontend", "broker_worker", "demo"},
}
"""What no module of the room may bring in, directly or through others."""

LIST_MODULES = """
import importlib, pkgutil, sys
room = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print("\\n".join(sorted(sys.modules)))
"""


def loaded_by(room: str) -> set[str]:
    """Every module in a process that imported all of a room."""
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, room], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_nothing_from_behind_its_walls(room: str) -> None:
    top = {name.partition(".")[0] for name in loaded_by(room)}
    assert room in top
    assert top & FORBIDDEN[room] == set()


def test_the_simulated_gateway_needs_the_standard_library_and_the_masking_alone() -> None:
    loaded = loaded_by("simulated_gateway")
    foreign = (
        {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"simulated_gateway", "shared"}
    )
    # What the interpreter itself loads at its start, as virtual environments do, is no import of the room.
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print('\\n'.join(sys.modules))"],
        cwd=ROOT, capture_output=True, text=True, timeout=50, check=True,
    )  # fmt: skip
    foreign -= {name.partition(".")[0] for name in bare.stdout.split()}
    assert {name for name in foreign if not name.startswith("_sysconfigdata")} <= {"__main__"}
    assert {name for name in loaded if name.startswith("shared.")} <= {"shared.masking"}


def test_the_contract_needs_pydantic_and_no_redis() -> None:
    script = "import sys, shared.contract; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=50, check=True
    )
    top = {name.partition(".")[0] for name in done.stdout.split()}
    assert top & {"redis", "arq", "ib_async", "fastmcp"} == set()


def test_one_module_knows_arq() -> None:
    knowing = [
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if any(line.startswith(("import arq", "from arq")) for line in path.read_text().splitlines())
    ]
    assert knowing == ["shared/queue/arq_seam.py"]


def test_whatever_a_replay_runs_asks_one_clock() -> None:
    asking = [
        path.relative_to(ROOT).as_posix()
        for path in [*(ROOT / "broker_worker").rglob("*.py"), *(ROOT / "shared").glob("*.py")]
        if re.search(r"datetime\.now\(|time\.time\(|time\.monotonic\(|date\.today\(", path.read_text())
    ]
    assert asking == ["shared/clock.py"], "use shared.clock, so that a recording replays at its own time"


def test_every_room_is_walled() -> None:
    found = {module.name for module in pkgutil.iter_modules([str(ROOT)]) if module.ispkg} & ROOMS
    assert found - {"demo"} == FORBIDDEN.keys()
