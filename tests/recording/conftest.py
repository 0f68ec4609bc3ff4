"""A gateway at a quiet moment, a proxy before it that records, and a player of what was recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.masking import Pseudonyms
from simulated_gateway import GatewayConfig, ManualClock, SimulatedGateway
from simulated_gateway.playing.command import PlayerDoor
from simulated_gateway.playing.index import Index
from simulated_gateway.playing.player import Player
from simulated_gateway.recording.disguise import Disguise
from simulated_gateway.recording.proxy import RecordingProxy, Upstream
from simulated_gateway.recording.tape import Tape
from tests.simulated_gateway.clients import QUICK_BEAT
from tests.simulated_gateway.conftest import TRADING_HOURS

SALT = b"a salt for tests"


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    config = GatewayConfig(beat_seconds=QUICK_BEAT, market_moves=False, accounts=("DU1234567", "DU7654321"))
    async with SimulatedGateway(config, ManualClock(TRADING_HOURS, running=True)) as opened:
        yield opened


@pytest.fixture
def tape_file(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


def text_of(path: Path) -> str:
    """A file's text, for tests that run in a loop."""
    return path.read_text()


@asynccontextmanager
async def recorded(
    port: int, path: Path, *, orders: bool = True, words: tuple[str, ...] = ()
) -> AsyncIterator[RecordingProxy]:
    """A proxy that records what passes it on its way to a gateway."""
    disguise = Disguise(Pseudonyms(SALT, words), orders=orders)
    async with RecordingProxy(Upstream("127.0.0.1", port), Tape(path), disguise, orders=orders) as proxy:
        await proxy.open("127.0.0.1", 0)
        yield proxy


@asynccontextmanager
async def played(path: Path, speed: float = 0) -> AsyncIterator[tuple[Player, int]]:
    """A player of a recording, and the port it listens at."""
    index = Index(path)
    try:
        player = Player(index, speed=speed)
        async with PlayerDoor(player) as door:
            await door.open("127.0.0.1", 0)
            yield player, door.port
    finally:
        index.close()


@dataclass(frozen=True)
class At:
    """A gateway of which only the port is known."""

    port: int


def at(port: int) -> Any:
    """What stands for a gateway where only its port is looked at."""
    return At(port)
