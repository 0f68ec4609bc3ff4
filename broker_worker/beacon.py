"""The worker's word about itself, written to Redis every second for get_status."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from shared import json_text
from shared.contract.status import LinkState, WorkerStatus
from shared.history import History, LinkChange
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
"""Between two words where nothing happens."""


async def keep_status(
    store: Store, keys: Keys, look: Callable[[], WorkerStatus], leads: Callable[[], bool], news: asyncio.Event
) -> None:
    """Write the status at once whenever there is news, and every second, until cancelled.

    Only the worker that leads speaks; that it begins to lead is news, else a dead worker's last word would stand.
    """
    history = History(store, keys)
    shown: LinkState | None = None
    while True:
        news.clear()
        if leads():
            word = look()
            change = LinkChange(at=word.link_since, link=word.link, detail=word.link_detail)
            try:
                await store.set(keys.status, json_text.dumps(word))
                if change.link is not shown:
                    await history.put_change(change)
                    shown = change.link
            except RedisAway as error:
                log.info("the status was not written: %s", error)
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_SECONDS):
                await news.wait()
