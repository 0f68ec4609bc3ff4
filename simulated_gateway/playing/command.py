"""`python -m simulated_gateway replay`: a recording in place of the gateway."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from simulated_gateway.listening import Listener
from simulated_gateway.recording.lines import UnreadableRecording
from simulated_gateway.sessions.connection import SocketSink
from simulated_gateway.waiting import interrupted

from .index import Index
from .player import Player


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("recording", type=Path, help="a file that `record` wrote")
    parser.add_argument("--port", type=int, default=4004, help="where to listen; 0 lets the machine choose")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen")
    parser.add_argument("--speed", type=_speed, default=1.0, help="2 is twice as fast; 0 leaves out every wait")


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 <= speed <= 1_000_000:
        message = "a speed is 0 or more"
        raise argparse.ArgumentTypeError(message)
    return speed


def run(arguments: argparse.Namespace) -> int:
    """Play until interrupted; the exit code."""
    try:
        index = Index(arguments.recording)
        try:
            asyncio.run(_run(arguments, Player(index, speed=arguments.speed)))
        finally:
            index.close()
    except (UnreadableRecording, OSError) as problem:
        print(f"player: {problem}", file=sys.stderr)
        return 1
    return 0


async def _run(arguments: argparse.Namespace, player: Player) -> None:
    async with PlayerDoor(player) as door:
        await door.open(arguments.host, arguments.port)
        print(f"playing {arguments.recording} on {arguments.host}:{door.port}", flush=True)
        await interrupted()
    answered = f"{player.answered:,} requests were answered"
    print(f"{answered}, {player.unmatched_count:,} are not in the recording", flush=True)
    for words in player.unmatched:
        print(f"  {words}", flush=True)


class PlayerDoor:
    """Listens for clients and has the player serve them. Use it as an async context manager."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._listener = Listener(self._serve, "player: connection")

    @property
    def port(self) -> int:
        """Where it listens, once it is open."""
        return self._listener.port or 0

    async def open(self, host: str, port: int) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is taken.
        """
        await self._listener.open(host, port)

    async def __aenter__(self) -> PlayerDoor:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._player.serve(reader, SocketSink(writer))
        finally:
            with suppress(OSError):
                await writer.wait_closed()
