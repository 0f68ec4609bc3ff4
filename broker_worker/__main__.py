"""``python -m broker_worker`` runs the worker; ``audit`` and ``resolve`` are a person's."""

from __future__ import annotations

import logging
import sys

from broker_worker import operator
from broker_worker.bootstrap import serve
from broker_worker.doctor import report as doctor
from broker_worker.replaying import command as replaying
from broker_worker.settings import WorkerSettings
from shared import event_loop, logs, traces
from shared.settings import load


def main() -> None:
    """Read the environment and the command line, and run."""
    arguments = operator.command_line(__doc__).parse_args()
    if arguments.command == "replay":
        sys.exit(replaying.run(arguments))
    if arguments.command == "doctor":
        sys.exit(doctor.run())
    settings = load(WorkerSettings)
    if arguments.command is not None:
        sys.exit(operator.run(arguments, settings))
    logs.configure(settings.log_level, {"arq": logging.WARNING, "ib_async": logging.CRITICAL})
    # What the decoder cannot read is a fact about the gateway that must be seen; the rest the link says better.
    logging.getLogger("ib_async.Decoder").setLevel(logging.ERROR)
    if settings.unsafe:
        sys.exit(f"The worker does not start: {settings.unsafe}")
    if settings.traces:
        traces.start("ibkr-bridge-worker", settings.gateway_session)
    event_loop.run(serve(settings))


if __name__ == "__main__":
    main()
