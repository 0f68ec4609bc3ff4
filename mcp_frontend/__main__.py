"""``python -m mcp_frontend`` serves over HTTP, ``--stdio`` over standard input and output; ``keys`` manages API keys.

Settings come from the environment.
"""

from __future__ import annotations

import argparse
import sys

from mcp_frontend import keys_command, logs
from mcp_frontend.bootstrap import serve_http, serve_stdio
from mcp_frontend.exposure import refusals
from mcp_frontend.settings import FrontendSettings
from shared import event_loop, traces
from shared.settings import load


def main() -> None:
    """Read the environment and serve."""
    parser = argparse.ArgumentParser(prog="python -m mcp_frontend", description=__doc__)
    parser.add_argument("--stdio", action="store_true", help="serve one client over standard input and output")
    commands = parser.add_subparsers(dest="command", metavar="command")
    keys_command.add_arguments(commands.add_parser("keys", help="make, list and revoke API keys"))
    arguments = parser.parse_args()
    settings = load(FrontendSettings)
    if arguments.command == "keys":
        sys.exit(keys_command.run(arguments, settings))
    if found := refusals(settings, over_http=not arguments.stdio):
        sys.exit("\n  ".join(["This frontend does not start:", *found]))
    logs.configure(settings.log_level)
    if settings.traces:
        traces.start("ibkr-bridge-frontend", settings.gateway_session)
    event_loop.run(serve_stdio(settings) if arguments.stdio else serve_http(settings))


if __name__ == "__main__":
    main()
