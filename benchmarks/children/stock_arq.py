"""arq as its documentation shows it, but for polling every millisecond; run by its own command."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from arq.connections import RedisSettings


async def nothing(_: dict[str, Any]) -> str:
    """The empty job."""
    return "done"


class Settings:
    """What arq's command reads."""

    functions: ClassVar = [nothing]
    redis_settings = RedisSettings.from_dsn(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"))
    poll_delay = 0.001
