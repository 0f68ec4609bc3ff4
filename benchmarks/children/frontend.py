"""The frontend as in production, offering the benchmarks' area too."""

from __future__ import annotations

import asyncio
import logging

from benchmarks.tools import declare
from mcp_frontend.bootstrap import serve_http
from mcp_frontend.settings import FrontendSettings
from shared.settings import load

if __name__ == "__main__":
    declare()
    logging.disable(logging.WARNING)
    asyncio.run(serve_http(load(FrontendSettings)))
