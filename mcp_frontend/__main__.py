"""``python -m mcp_frontend`` serves over HTTP, ``--stdio`` over standard input and output; settings by environment."""

from __future__ import annotations

import argparse
import asyncio

from mcp_frontend import logs
from mcp_frontend.bootstrap import serve_http, serve_stdio
from mcp_frontend.settings import FrontendSettings
from shared.settings import load


def main() -> None:
    """Read the environment and serve."""
    parser = argparse.ArgumentParser(prog="python -m mcp_frontend", description=__doc__)
    parser.add_argument("--stdio", action="store_true", help="serve one client over standard input and output")
    arguments = parser.parse_args()
    settings = load(FrontendSettings)
    logs.configure(settings.log_level)
    asyncio.run(serve_stdio(settings) if arguments.stdio else serve_http(settings))


if __name__ == "__main__":
    main()
