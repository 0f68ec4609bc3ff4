"""This frontend's word that it runs, for the status page."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from shared.history import FrontendWord, History
from shared.redis_store import RedisAway

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0


async def keep_presence(history: History, word: FrontendWord) -> None:
    """Say it every few seconds until cancelled, and take it back then."""
    try:
        while True:
            try:
                await history.put_frontend(word)
            except RedisAway as error:
                log.debug("this frontend's presence was not noted: %s", error)
            await asyncio.sleep(EVERY_SECONDS)
    finally:
        with suppress(RedisAway):
            await history.drop_frontend(word)
