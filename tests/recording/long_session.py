"""``python -m tests.recording.long_session``: a very long session is recorded, then played; how much memory that takes.

Recorder and player are processes of their own, and their memory is what the machine says of them (Linux alone).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from simulated_gateway.wire.framing import decode_fields, encode_frame, read_client_versions, read_payload
from tests.simulated_gateway.clients import AAPL, RawClient

_CONTRACT = ("", "", "", "0.0", "", "", "", "", "", "", "")
_PIECE = 200
_BUFFERS = 16 << 20
"""Bytes that a run may need more than its first tenth: buffers that were not full by then. A leak is more."""


@dataclass(frozen=True)
class Told:
    """What one process needed for its part; memory in bytes."""

    frames: int
    seconds: float
    at_a_tenth: int
    most: int

    @property
    def flat(self) -> bool:
        """Whether the rest of the session took no more than its first tenth."""
        return self.most < self.at_a_tenth + _BUFFERS

    def __str__(self) -> str:
        memory = f"{self.at_a_tenth / 1e6:.1f} MB after a tenth, {self.most / 1e6:.1f} MB at most"
        return f"{self.frames:,} frames in {self.seconds:.0f} s, {memory}: {'flat' if self.flat else 'NOT FLAT'}"


@asynccontextmanager
async def command(*arguments: str) -> AsyncIterator[tuple[int, int]]:
    """One of the simulated gateway's commands: its process and its port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulated_gateway", *arguments), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        async with asyncio.timeout(600):
            yield process.pid, int((await process.stdout.readline()).rsplit(b":")[-1])
    finally:
        process.terminate()
        await process.communicate()


@asynccontextmanager
async def talkative_gateway(frames: int) -> AsyncIterator[int]:
    """A gateway that answers a question about prices with so many ticks; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_client_versions(reader)
        writer.write(encode_frame(("178", "")))
        while (payload := await read_payload(reader)) is not None:
            fields = decode_fields(payload)
            if fields[0] == "71":
                writer.write(encode_frame((4, 2, -1, 2158, "Sec-def data farm connection is OK:secdefil", "")))
            elif fields[0] == "1":
                for begin in range(0, frames, _PIECE):
                    numbers = range(begin, min(begin + _PIECE, frames))
                    ticks = ((1, 6, fields[2], 1, f"{100 + number % 50 / 100:.2f}", 1, 0) for number in numbers)
                    writer.write(b"".join(map(encode_frame, ticks)))
                    await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def heard(pid: int, port: int, frames: int) -> Told:
    """Ask for prices at a port, read every tick, and watch the process that is there."""
    client = await RawClient.started(port)
    began = time.monotonic()
    client.send(1, 11, 5, AAPL, *_CONTRACT, 0, "", 0, 0, "")
    at_a_tenth = 0
    for number in range(1, frames + 1):
        assert (await client.message(1))[2] == "5"
        if number == frames // 10:
            at_a_tenth = memory(pid, "VmHWM")
    told = Told(frames, time.monotonic() - began, at_a_tenth, memory(pid, "VmHWM"))
    await client.close()
    return told


def memory(pid: int, what: str) -> int:
    """A process's memory in bytes. Source: proc(5), /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))


async def recorded_and_played(frames: int, path: Path) -> list[tuple[str, Told]]:
    """Record a session of so many frames, then play it."""
    async with talkative_gateway(frames) as upstream:
        arguments = ("record", "--upstream", f"127.0.0.1:{upstream}", "--listen", "0", "--out", str(path))
        async with command(*arguments) as (pid, port):
            recorder = await heard(pid, port, frames)
    async with command("replay", str(path), "--port", "0", "--speed", "0") as (pid, port):
        player = await heard(pid, port, frames)
    return [("recorded", recorder), ("played", player)]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; the exit code says whether memory stayed flat."""
    parser = argparse.ArgumentParser(prog="python -m tests.recording.long_session", description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000, help="how many the gateway sends")
    options = parser.parse_args(argv)
    with TemporaryDirectory(prefix="long-session-") as folder:
        path = Path(folder) / "session.jsonl"
        told = asyncio.run(recorded_and_played(options.frames, path))
        print(f"a recording of {path.stat().st_size / 1e6:.0f} MB")
    for what, figures in told:
        print(f"{what}: {figures}")
    return int(not all(figures.flat for _, figures in told))


if __name__ == "__main__":
    sys.exit(main())
