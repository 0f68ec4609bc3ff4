"""What the supervisor is promised of its parts."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.child import Child
from demo.endpoint import Endpoint


@pytest.fixture
def leash() -> Iterator[tuple[int, int]]:
    held, end = os.pipe()
    yield held, end
    os.close(held)
    os.close(end)


async def _started(module: str, source: str, leash: int, folder: Path) -> Child:
    (folder / f"{module}.py").write_text(source)
    child = Child("part", module, log=folder / "part.log")
    await child.start({"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "PYTHONUNBUFFERED": "1"}, leash)
    return child


async def test_a_child_that_ignores_the_polite_signal_is_ended_with_all_it_started(
    leash: tuple[int, int], tmp_path: Path
) -> None:
    source = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("grandchild", grandchild.pid)
time.sleep(600)
"""
    child = await _started("stubborn", source, leash[0], tmp_path)
    async with asyncio.timeout(30):
        said = await child.said(re.compile(r"grandchild (\d+)\n"))
        await child.stop(0.2, asyncio.Event())
        while _lives(int(said[1])):  # noqa: ASYNC110 - not our child
            await asyncio.sleep(0.02)
    assert child.how_it_ended() == "was ended by SIGKILL"


async def test_a_hurry_does_not_wait_for_the_polite_end(leash: tuple[int, int], tmp_path: Path) -> None:
    source = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready')\ntime.sleep(600)\n"
    child = await _started("slow", source, leash[0], tmp_path)
    hurry = asyncio.Event()
    async with asyncio.timeout(30):
        await child.said(re.compile("ready"))
        stopping = asyncio.create_task(child.stop(600, hurry))
        hurry.set()
        await stopping
    assert child.exit_code == -9


async def test_the_last_words_are_the_messages_of_json_lines_and_other_lines_as_they_are(
    leash: tuple[int, int], tmp_path: Path
) -> None:
    source = """
print('{"level": "INFO", "message": "all is well"}')
raise SystemExit("it is not")
"""
    child = await _started("brief", source, leash[0], tmp_path)
    await child.ended()
    assert child.how_it_ended() == "ended with exit code 1"
    assert child.tail(5) == ["INFO all is well", "it is not"]


async def test_a_child_ends_when_the_leash_is_let_go(tmp_path: Path) -> None:
    held, end = os.pipe()
    source = "import time\nprint('ready')\ntime.sleep(600)\n"
    child = await _started("follower", source, held, tmp_path)
    async with asyncio.timeout(30):
        await child.said(re.compile("ready"))
        os.close(end)
        await child.ended()
    os.close(held)
    assert child.exit_code == -15


async def test_an_endpoint_where_nobody_listens_has_no_answer_yet() -> None:
    assert await Endpoint("127.0.0.1", 1).call("get_status") is None


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/mcp"),
        ("0.0.0.0", "http://127.0.0.1:80/mcp"),
        ("::", "http://[::1]:80/mcp"),
    ],
)
def test_the_printed_address_is_one_a_client_can_use(host: str, url: str) -> None:
    assert Endpoint(host, 80).url == url


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").exists() or " Z " not in Path(f"/proc/{pid}/stat").read_text()
