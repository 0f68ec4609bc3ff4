"""The few Redis commands this project uses, with types; redis-py's own are too loose for a strict checker.

Every command raises ``RedisAway`` where Redis cannot be reached or breaks off; what it refuses otherwise is a defect
and raises redis-py's own error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import BusyLoadingError, RedisError, ResponseError

if TYPE_CHECKING:
    from collections.abc import Generator

    from redis.asyncio import ConnectionPool

Value = str | bytes | int

_CONNECT_SECONDS = 2
_ANSWER_SECONDS = 5
"""Longest wait for any command's answer, blocking pops included."""


class RedisAway(Exception):
    """Redis cannot be reached, or the connection broke before it answered: the command may or may not have run."""


@contextmanager
def away() -> Generator[None]:
    """Turn every way in which Redis can be out of reach into ``RedisAway``."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        if isinstance(error, ResponseError) and not isinstance(error, BusyLoadingError):
            raise
        raise RedisAway(str(error) or type(error).__name__) from error


class Script:
    """A Lua script; Redis loads it again by itself after losing it."""

    def __init__(self, redis: Any, text: str) -> None:
        self._run = redis.register_script(text)

    async def __call__(self, *, keys: Sequence[str], args: Sequence[Value]) -> Any:
        """Run it in one step."""
        with away():
            return await self._run(keys=list(keys), args=list(args))


class Store:
    """One process's connection pool to Redis."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    @classmethod
    def at(cls, url: str) -> Store:
        """A store at a URL; connects when first used, and again whenever it must.

        A command whose connection breaks is sent once more: every write of this project may be repeated.
        """
        return cls(
            cast("Any", Redis).from_url(
                url,
                socket_connect_timeout=_CONNECT_SECONDS,
                socket_timeout=_ANSWER_SECONDS,
                health_check_interval=15,
                retry=Retry(ConstantBackoff(0.05), 1),
                retry_on_error=[ConnectionError],
            )
        )

    @property
    def pool(self) -> ConnectionPool:
        """What arq builds its own client on."""
        return cast("ConnectionPool", self._redis.connection_pool)

    def script(self, text: str) -> Script:
        """Prepare a Lua script."""
        return Script(self._redis, text)

    async def ping(self) -> None:
        """Return if Redis answers."""
        with away():
            await self._redis.ping()

    async def get(self, key: str) -> bytes | None:
        """The value of a key."""
        with away():
            return cast("bytes | None", await self._redis.get(key))

    async def get_and_exists(self, key: str, other: str) -> tuple[bytes | None, bool]:
        """One key's value, and whether another exists, in one round trip."""
        with away():
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.get(key)
                pipe.exists(other)
                value, exists = await pipe.execute()
                return value, bool(exists)

    async def set(self, key: str, value: Value, *, px: int | None = None) -> None:
        """Set a key, to expire after ``px`` milliseconds."""
        with away():
            await self._redis.set(key, value, px=px)

    async def hash(self, key: str) -> dict[str, str]:
        """All fields of a hash; empty where there is none."""
        with away():
            fields: Mapping[bytes, bytes] = await self._redis.hgetall(key)
        return {name.decode(): value.decode() for name, value in fields.items()}

    async def count_between(self, key: str, low: float, high: float) -> int:
        """Members of a sorted set with a score from ``low`` up to, not including, ``high``."""
        with away():
            return int(await self._redis.zcount(key, low, f"({high}"))

    async def pop_blocking(self, key: str, seconds: int) -> bool:
        """Wait for an entry of a list, take it, and tell whether there was one."""
        with away():
            return await self._redis.blpop([key], timeout=seconds) is not None

    async def publish(self, channel: str, message: str) -> None:
        """Say something to whoever listens now."""
        with away():
            await self._redis.publish(channel, message)

    async def messages(self, channel: str) -> AsyncIterator[str]:
        """What is published on a channel, from now on."""
        with away():
            async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(channel)
                while True:
                    heard: Mapping[str, bytes] | None = await subscription.get_message(timeout=_ANSWER_SECONDS)
                    if heard is not None:
                        yield heard["data"].decode()

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose(close_connection_pool=True)
