"""The other end of the two-hop ping-pong: takes from one list, puts on the caller's."""

from __future__ import annotations

import sys
from typing import Any

from redis.asyncio import Redis

from shared import event_loop


async def main(url: str) -> None:
    redis: Any = Redis.from_url(url)
    while True:
        _, caller = await redis.blpop(["ping"])
        await redis.rpush(b"pong:" + caller, b"1")


if __name__ == "__main__":
    event_loop.run(main(sys.argv[1]))
