"""The other end of the two-hop ping-pong: takes from one list, puts on the caller's."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from redis.asyncio import Redis


async def main(url: str) -> None:
    redis: Any = Redis.from_url(url)
    while True:
        _, caller = await redis.blpop(["ping"])
        await redis.rpush(b"pong:" + caller, b"1")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
