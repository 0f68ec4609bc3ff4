"""A session of a client that nobody of this project wrote is recorded, and told to that client again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.masking import Pseudonyms
from tests.recording.conftest import SALT, played, recorded

from .sessions import CLIENTS, ForeignClient, gateway_for, tell

pytestmark = pytest.mark.timeout(60, func_only=True)

RECORDED = [client for client in CLIENTS if str(client) in {"ib_insync-176", "stoqey_ib-178"}]


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
    interpreter = client.interpreter()
    async with gateway_for(client) as gateway:
        async with recorded(gateway.port, tmp_path / "session.jsonl") as proxy:
            told = masked(await tell(client, interpreter, proxy.port, gateway.control_port))
        # Slowly: news come at their distance from the question, and a busy machine's client may be late with the next.
        async with played(tmp_path / "session.jsonl", speed=0.25) as (player, port):
            again = await tell(client, interpreter, port, gateway.control_port)
    again |= {"values": sorted(row for row in again["values"] if row[2] != row[0]), "errors": sorted(again["errors"])}
    assert list(player.unmatched) == []
    assert again == told
