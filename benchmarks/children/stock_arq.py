"""arq as it comes, but for polling every millisecond."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from arq.connections import RedisSettings, create_pool
from arq.worker import Worker, func


async def nothing(_: dict[str, Any]) -> str:
    """The empty job."""
    return "done"


async def main(url: str) -> None:
    pool = await create_pool(RedisSettings.from_dsn(url))
    jobs = [func(nothing, name="nothing")]  # type: ignore[arg-type]
    await Worker(functions=jobs, redis_pool=pool, poll_delay=0.001, handle_signals=False).main()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
