"""``python -m tests.released.write``: keep what this release leaves in Redis and on the disk, to be read for ever.

Run it once for each release, and whenever what is written takes another form before the first release that has it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import socket
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared import VERSION
from shared.audit import Audit
from shared.envelope import seal
from shared.order_records import order_key
from tests.worker.harness import SESSION, Bridge

HERE = Path(__file__).parent
SECRET = "a secret of sixteen"
CALLER = "alice"
ORDER: dict[str, Any] = {"symbol": "AAPL", "action": "BUY"}
FIRST: dict[str, Any] = {**ORDER, "quantity": "5", "limit_price": 100.5, "client_order_id": "first"}
SECOND: dict[str, Any] = {**ORDER, "quantity": 2, "client_order_id": "second"}


async def left() -> dict[str, Any]:
    """What today's release leaves: a queued job, an answer, one order that works and one that filled, the audit."""
    async with Bridge(job_signing_secret=SECRET) as bridge:
        await bridge.text("place_limit_order", caller=CALLER, **FIRST)
        answer = await bridge.text("place_market_order", caller=CALLER, **SECOND)
        await bridge.worker.placer.drain(5)
        await bridge.stop_worker()
        queued = bridge.envelope(
            "place_limit_order", arguments=FIRST, caller=CALLER, accounts=frozenset({"DU1234567"}), authenticated=True,
            deadline_ms=1_795_000_000_000, request_id="r-1", reply_to="frontend-1",
        )  # fmt: skip
        body, signature = seal(queued, SECRET.encode())
        return {
            "release": VERSION,
            "envelope": {"secret": SECRET, "body": body, "signature": signature},
            "answer": '{"result":' + answer + "}",
            "orders": {name: await _order(bridge, name) for name in ("first", "second")},
            "audit": await Audit(bridge.store(), bridge.keys).read(since=None, most=100),
            "sent_file": _dump(bridge.worker.settings.state_dir / f"{SESSION}.sent.sqlite3"),
        }


async def _order(bridge: Bridge, name: str) -> dict[str, Any]:
    key = order_key(CALLER, name)
    fields = await bridge.redis.hgetall(bridge.keys.order(key))
    history = await bridge.redis.lrange(bridge.keys.order_history(key), 0, -1)
    return {
        "key": key,
        "fields": {name.decode(): value.decode() for name, value in fields.items()},
        "history": [row.decode() for row in history],
    }


def _dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as db:
        return list(db.iterdump())


def main(argv: Sequence[str] | None = None) -> int:
    """Write the release's file; it must not be there yet, unless it is made again before the release."""
    parser = argparse.ArgumentParser(prog="python -m tests.released.write", description=__doc__)
    parser.add_argument("--again", action="store_true", help="this release is not out yet: write its file anew")
    options = parser.parse_args(argv)
    logging.disable(logging.CRITICAL)
    path = HERE / f"release_{VERSION}.json"
    if path.exists() and not options.again:
        print(f"{path} is there already, and what was released stays as it was", file=sys.stderr)
        return 1
    text = json.dumps(asyncio.run(left()), ensure_ascii=False, indent=1)
    path.write_text(text.replace(f"{socket.gethostname()}-{os.getpid()}", "worker-1") + "\n")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
