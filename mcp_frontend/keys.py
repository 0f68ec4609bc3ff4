"""API keys: made and revoked by a command, kept in Redis for all frontends, believed only under our own signature.

A key is ``ibkrmcp_ID_SECRET``. Redis keeps a record of what it may do, with a digest of the secret. The secret is 32
random bytes: nobody guesses it, so a fast hash is right where a password would need a slow one, which would cost every
call tens of milliseconds. The record carries a code made with JOB_SIGNING_SECRET, which is not in Redis: whoever can
write to Redis can neither make a key nor widen one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mcp_frontend.callers import Caller
from shared.contract import Scope
from shared.redis_keys import Keys
from shared.redis_store import Store

NAME: Final = r"^[a-z0-9][a-z0-9._-]{0,31}$"
CACHE_SECONDS: Final = 2.0
"""How long a frontend believes a record without looking again: a revoked key works no longer than that."""
_CACHE_MOST: Final = 1_000

_now = time.monotonic
"""The clock by which a record is believed."""

_TOKEN: Final = re.compile(r"ibkrmcp_([a-z2-7]{10})_([A-Za-z0-9_-]{43})")


class KeyRecord(BaseModel):
    """What one key may do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = 1
    id: str
    session: str
    """The gateway session it is for; a record does not work under another."""
    name: str = Field(pattern=NAME)
    scopes: frozenset[Scope]
    accounts: frozenset[str] | None
    """None: all."""
    calls_per_minute: int = Field(ge=0)
    """0: as many as it likes."""
    digest: str
    """SHA-256 of the secret part."""
    created: datetime
    expires: datetime | None

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= datetime.now(UTC)

    def caller(self) -> Caller:
        """Whoever holds the key."""
        return Caller(
            name=self.name,
            scopes=self.scopes,
            accounts=self.accounts,
            authenticated=True,
            calls_per_minute=self.calls_per_minute,
        )


class KeyRing:
    """The keys of one gateway session."""

    def __init__(self, store: Store, keys: Keys, secret: bytes) -> None:
        if not secret:
            raise ValueError("API keys need JOB_SIGNING_SECRET")
        self._store = store
        self._keys = keys
        # A code of its own purpose: the signature of a job, which lies in Redis too, is never one of a key.
        self._secret = hmac.digest(secret, b"api-key records", "sha256")
        self._believed: dict[str, tuple[KeyRecord, float]] = {}

    async def add(
        self,
        name: str,
        *,
        scopes: frozenset[Scope],
        accounts: frozenset[str] | None = None,
        calls_per_minute: int = 0,
        expires: datetime | None = None,
    ) -> str | None:
        """The new key, to be shown once; None where one of that name exists. Raises ``RedisAway``."""
        secret = secrets.token_urlsafe(32)
        record = KeyRecord(
            id=self._id(name),
            session=self._keys.session,
            name=name,
            scopes=scopes,
            accounts=accounts,
            calls_per_minute=calls_per_minute,
            digest=_digest(secret),
            created=datetime.now(UTC).replace(microsecond=0),
            expires=expires,
        )
        body = record.model_dump_json()
        added = await self._store.add_field(self._keys.api_keys, record.id, f"{self._code(body)}.{body}")
        return f"ibkrmcp_{record.id}_{secret}" if added else None

    async def all(self) -> tuple[list[KeyRecord], int]:
        """Every valid record by name, and how many there are that are not ours. Raises ``RedisAway``."""
        rows = await self._store.hash(self._keys.api_keys)
        records = [record for key_id, text in rows.items() if (record := self._read(key_id, text)) is not None]
        return sorted(records, key=lambda record: record.name), len(rows) - len(records)

    async def revoke(self, name: str) -> bool:
        """Whether there was one. Raises ``RedisAway``."""
        return await self._store.drop_field(self._keys.api_keys, self._id(name))

    async def caller(self, token: str) -> Caller | None:
        """Who holds this key; None where it is none, or no longer. Raises ``RedisAway``."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        key_id, digest = match[1], _digest(match[2])
        record = self._remembered(key_id)
        if record is None or not hmac.compare_digest(record.digest, digest):
            record = await self._look_up(key_id)
        if record is None or not hmac.compare_digest(record.digest, digest) or record.expired:
            return None
        return record.caller()

    def _remembered(self, key_id: str) -> KeyRecord | None:
        record, until = self._believed.get(key_id, (None, 0.0))
        return record if _now() < until else None

    async def _look_up(self, key_id: str) -> KeyRecord | None:
        stored = await self._store.field(self._keys.api_keys, key_id)
        record = self._read(key_id, stored.decode(errors="replace")) if stored is not None else None
        if record is not None:
            if len(self._believed) >= _CACHE_MOST:
                self._believed.clear()
            self._believed[key_id] = (record, _now() + CACHE_SECONDS)
        return record

    def _read(self, key_id: str, text: str) -> KeyRecord | None:
        """The record, where we wrote it for this session and this id."""
        code, _, body = text.partition(".")
        if not hmac.compare_digest(code.encode(), self._code(body).encode()):
            return None
        try:
            record = KeyRecord.model_validate_json(body)
        except ValidationError:
            return None
        return record if (record.id, record.session) == (key_id, self._keys.session) else None

    def _code(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()

    def _id(self, name: str) -> str:
        """One id a name, so that Redis itself keeps names unique."""
        digest = hashlib.sha256(f"{self._keys.session}\0{name}".encode()).digest()
        return base64.b32encode(digest)[:10].decode().lower()


def is_key(token: str) -> bool:
    """Whether this looks like one of our keys, valid or not."""
    return token.startswith("ibkrmcp_")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
