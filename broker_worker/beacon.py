"""The worker's word about itself, written to Redis every second for get_status."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from shared import json_text
from shared.contract.status import WorkerStatus
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0


async def keep_status(store: Store, keys: Keys, look: Callable[[], WorkerStatus], leads: Callable[[], bool]) -> None:
    """Write the status whenever it is due, until cancelled; only the worker that leads speaks."""
    while True:
        if leads():
            try:
                await store.set(keys.status, json_text.dumps(look()))
            except RedisAway as error:
                log.info("the status was not written: %s", error)
        await asyncio.sleep(EVERY_SECONDS)
