from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from .clients import RawClient


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulated_gateway", "--port", "0", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_one_line_says_that_it_listens_and_a_signal_ends_it_cleanly(how: signal.Signals, tmp_path: Path) -> None:
    process = await start("--accounts", "DU1,DU2", "--control-port", "0", "--state", str(tmp_path / "state.json"))
    assert process.stdout
    assert process.stderr
    async with asyncio.timeout(20):
        line = (await process.stdout.readline()).decode()
        assert line.startswith("simulated gateway listening on 127.0.0.1:")
        assert "(DU1,DU2), control on 127.0.0.1:" in line
        client = await RawClient.started(int(line.split(":")[1].split(" ")[0]))
        process.send_signal(how)
        assert await process.wait() == 0
        assert await process.stdout.read() == b""
        assert b"Traceback" not in await process.stderr.read()
        await client.close()


async def test_a_setting_that_makes_no_sense_is_named() -> None:
    process = await start("--server-version", "200")
    _, complaint = await process.communicate()
    assert process.returncode == 1
    assert b"server_version is 157 to 178" in complaint
