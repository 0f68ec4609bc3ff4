"""The frontend as in production, offering the benchmarks' area too."""

from __future__ import annotations

import logging

from benchmarks.tools import declare
from mcp_frontend.bootstrap import serve_http
from mcp_frontend.settings import FrontendSettings
from shared import event_loop
from shared.settings import load

if __name__ == "__main__":
    declare()
    logging.disable(logging.WARNING)
    event_loop.run(serve_http(load(FrontendSettings)))
