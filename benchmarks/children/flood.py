"""Another frontend whose callers keep so many queries waiting, until killed."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.calls import Caller
from benchmarks.tools import declare
from shared import event_loop


async def main(url: str, session: str, secret: str, milliseconds: str, depth: str) -> None:
    declare()
    async with Caller.at(url, session, secret) as caller:

        async def keep_asking() -> None:
            while True:
                await caller.call("take_time", {"milliseconds": int(milliseconds)}, caller="flood")

        await asyncio.gather(*(keep_asking() for _ in range(int(depth))))


if __name__ == "__main__":
    event_loop.run(main(*sys.argv[1:]))
