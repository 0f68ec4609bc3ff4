"""Files too large for an answer: the worker puts them into Redis for a while, any frontend hands them to who asked."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared import clock
from shared.redis_keys import Keys
from shared.redis_store import Store

PATH = "/files"
KEEP = timedelta(minutes=30)
MOST_BYTES = 8 << 20
"""Of one file, compressed."""
MOST_FILES = 8
"""Of all callers together; the oldest goes where there would be more. Redis holds orders: it must not fill."""

_PUT = """
-- KEYS list, file  ARGV content, ms, most
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
redis.call('LPUSH', KEYS[1], KEYS[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
while redis.call('LLEN', KEYS[1]) > tonumber(ARGV[3]) do
  redis.call('DEL', redis.call('RPOP', KEYS[1]))
end
"""


class TooLarge(Exception):
    """The file is larger than Redis should hold."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a file is."""

    path: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is handed out."""

    name: str
    gzipped: bytes


class FileShelf:
    """Files by a name nobody can guess, each for one caller."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys
        self._put = store.script(_PUT)

    async def put(self, caller: str, name: str, gzipped: bytes) -> Kept:
        """Keep a file for a caller; raises ``TooLarge``, or ``RedisAway``."""
        if len(gzipped) > MOST_BYTES:
            raise TooLarge(f"{len(gzipped)} bytes")
        token = secrets.token_urlsafe(18)
        content = json.dumps({"caller": caller, "name": name}).encode() + b"\n" + gzipped
        await self._put(
            keys=[self._keys.files, self._keys.file(token)],
            args=[content, int(KEEP.total_seconds() * 1000), MOST_FILES],
        )
        return Kept(f"{PATH}/{token}", clock.now() + KEEP)

    async def get(self, token: str, caller: str) -> File | None:
        """A file; None where there is none, or not for this caller."""
        content = await self._store.get(self._keys.file(token))
        if content is None:
            return None
        head, _, gzipped = content.partition(b"\n")
        about = json.loads(head)
        return File(about["name"], gzipped) if about["caller"] == caller else None
