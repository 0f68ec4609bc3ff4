"""The lease of the one worker: who may claim jobs and trade, under which epoch, and until when."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time

from shared.queue import scripts
from shared.redis_keys import Keys
from shared.redis_store import Absence, RedisAway, Store, answered

log = logging.getLogger(__name__)

LEASE_SECONDS = 2.0
HEARTBEAT_SECONDS = 1.5
"""How long the heartbeat stands without renewal: within two seconds a frontend knows that nobody serves."""
RENEW_SECONDS = 0.4
PATIENCE_SECONDS = 0.8
"""For one renewal: a command that hangs must not cost the lease, another connection may serve."""
SAFE_SHARE = 0.7
"""Of the lease, on this machine's own clock, after which its holder no longer sends orders."""


class Lease:
    """Held by at most one worker; the epoch tells its holders apart, and one process's terms of holding it too."""

    def __init__(self, store: Store, keys: Keys, worker: str, *, highest_epoch: int = 0) -> None:
        self._keys = keys
        # A restarted process often has its predecessor's host name and id; nobody else may ever pass for this one.
        self._worker = f"{worker}-{secrets.token_hex(4)}"
        self._highest_epoch = highest_epoch
        self._lead = store.script(scripts.LEAD)
        self._resign = store.script(scripts.RESIGN)
        self._held = asyncio.Event()
        self._lost = asyncio.Event()
        self._stands_by = False
        self._absence = Absence("lease")
        self._renewed_at = float("-inf")
        self.holder = ""
        """``worker:epoch`` as it stands in Redis; empty while the lease is not ours."""

    @property
    def epoch(self) -> int:
        """The number that fences out every earlier holder; 0 while the lease is not ours."""
        return int(self.holder.rpartition(":")[2] or 0)

    def safe(self) -> bool:
        """Whether the lease is ours with time to spare, by a clock that no other process can set."""
        return bool(self.holder) and time.monotonic() - self._renewed_at < LEASE_SECONDS * SAFE_SHARE

    async def held(self) -> None:
        """Wait until the lease is ours."""
        await self._held.wait()

    async def lost(self) -> None:
        """Wait until another worker is known to lead."""
        await self._lost.wait()

    async def keep(self) -> None:
        """Take the lease when it is free and renew it, until cancelled; then give it back at once."""
        try:
            while True:
                await self._renew()
                await asyncio.sleep(RENEW_SECONDS)
        finally:
            await asyncio.shield(self._give_back())

    async def _renew(self) -> None:
        keys = self._keys
        asked_at = time.monotonic()
        try:
            async with answered(PATIENCE_SECONDS):
                answer = await self._lead(
                    keys=[keys.lease, keys.epoch, keys.heartbeat, keys.queue, keys.wake],
                    args=[self._worker, int(LEASE_SECONDS * 1000), int(HEARTBEAT_SECONDS * 1000), self._highest_epoch],
                )
        except RedisAway as error:
            self._absence.noticed(error)
            return
        self._absence.over()
        holder = bytes(answer).decode()
        if holder:
            self._led(holder, asked_at)
        else:
            self._stood_by()

    def _led(self, holder: str, asked_at: float) -> None:
        if holder != self.holder:
            log.info("this worker leads as %s", holder)
        self.holder = holder
        self._highest_epoch = max(self._highest_epoch, self.epoch)
        self._renewed_at = asked_at
        self._stands_by = False
        self._held.set()
        self._lost.clear()

    def _stood_by(self) -> None:
        if not self._stands_by:
            log.info("another worker leads; standing by")
        self._stands_by = True
        self.holder = ""
        self._held.clear()
        self._lost.set()

    async def _give_back(self) -> None:
        """Also where it is not known to be ours: the answer to having taken it may be under way."""
        try:
            async with answered(PATIENCE_SECONDS):
                await self._resign(keys=[self._keys.lease, self._keys.heartbeat], args=[self._worker])
        except RedisAway as error:
            log.info("the lease was not given back and will expire: %s", error)
        self.holder = ""
        self._held.clear()
