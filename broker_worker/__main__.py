"""``python -m broker_worker`` runs the worker; settings by environment."""

from __future__ import annotations

import asyncio
import logging

from broker_worker.bootstrap import serve
from broker_worker.settings import WorkerSettings
from shared import logs
from shared.settings import load


def main() -> None:
    """Read the environment and run."""
    settings = load(WorkerSettings)
    logs.configure(settings.log_level, {"arq": logging.WARNING, "ib_async": logging.CRITICAL})
    # What the decoder cannot read is a fact about the gateway that must be seen; the rest the link says better.
    logging.getLogger("ib_async.Decoder").setLevel(logging.ERROR)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
