"""A session of a client that nobody of this project wrote is recorded, and told to that client again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from shared.masking import Pseudonyms
from simulated_gateway import GatewayConfig, ManualClock, SimulatedGateway
from tests.recording.conftest import SALT, played, recorded

from .sessions import CLIENTS, HERE, PATIENCE, TRADING_HOURS, ForeignClient

pytestmark = pytest.mark.timeout(60, func_only=True)

RECORDED = [client for client in CLIENTS if str(client) in {"ib_insync-176", "stoqey_ib-178"}]


async def tell(client: ForeignClient, port: int, control_port: int | None) -> dict[str, Any]:
    """What the client's program says of its session at a port."""
    process = await asyncio.create_subprocess_exec(
        *(str(client.interpreter()), str(HERE / client.program), str(port), str(control_port)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            told, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaint.decode()
    return dict(json.loads(told))


def masked(told: dict[str, Any]) -> dict[str, Any]:
    """The same with the names that a recording gives; errors without the sequence they came in."""
    names = Pseudonyms(SALT)
    return told | {
        "accounts": [names.account(account) for account in told["accounts"]],
        "values": sorted([names.account(account), *rest] for account, *rest in told["values"] if rest[1] != account),
        "placed": {
            ref: [status, int(names.number(str(perm_id))), price]
            for ref, (status, perm_id, price) in told["placed"].items()
        },
        "errors": sorted(told["errors"]),
    }


@pytest.mark.parametrize("client", RECORDED, ids=str)
async def test_a_foreign_clients_session_is_told_again(client: ForeignClient, tmp_path: Path) -> None:
    client.interpreter()
    config = GatewayConfig(control_port=0, beat_seconds=0.02, market_moves=False, server_version=client.offered)
    async with SimulatedGateway(config, ManualClock(TRADING_HOURS, running=True)) as gateway:
        async with recorded(gateway.port, tmp_path / "session.jsonl") as proxy:
            told = masked(await tell(client, proxy.port, gateway.control_port))
        async with played(tmp_path / "session.jsonl", speed=1) as (player, port):
            again = await tell(client, port, gateway.control_port)
    again |= {"values": sorted(row for row in again["values"] if row[2] != row[0]), "errors": sorted(again["errors"])}
    assert list(player.unmatched) == []
    assert again == told
