"""The few Redis commands this project uses, with types; redis-py's own are too loose for a strict checker.

Every command raises ``RedisAway`` where Redis cannot be reached, breaks off, is silent or cannot serve for now; what it
refuses otherwise is a defect and raises redis-py's own error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from redis.exceptions import BusyLoadingError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as ConnectionBroke

from shared import clock, redis_address
from shared.redis_line import Line, sha_of
from shared.time_limit import TimeLimits

if TYPE_CHECKING:
    from types import TracebackType

    from redis.asyncio import ConnectionPool

log = logging.getLogger(__name__)

Value = str | bytes | int

_ANSWER_SECONDS = 5
"""Longest wait for any command's answer; a blocking pop's begins when its own wait is over."""
_AGAIN_SECONDS = 0.05
"""Before a command whose connection broke is sent once more."""

_STEADY_SECONDS = 1.0
"""Without a failure, until Redis is said to be back."""

_NEVER = float("-inf")

_FOR_NOW = (BusyLoadingError, OutOfMemoryError, ReadOnlyError)
_FOR_NOW_WORDS = ("MISCONF", "BUSY", "MASTERDOWN", "NOREPLICAS", "OOM", "READONLY", "UNBLOCKED")
"""Refusals that pass: its disk or memory is full, a script hangs, or it is a replica until somebody steps in."""

AnswerT = TypeVar("AnswerT")


class RedisAway(Exception):
    """Redis cannot be reached or cannot serve, or broke off before it answered: the command may or may not have run."""


class _Away:
    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not isinstance(error, _OUT_OF_REACH) or (isinstance(error, ResponseError) and not _passes(error)):
            return
        raise RedisAway(str(error) or type(error).__name__) from error


_OUT_OF_REACH = (RedisError, OSError, TimeoutError)
_AWAY = _Away()


def away() -> AbstractContextManager[None]:
    """Turn every way in which Redis can be out of reach into ``RedisAway``."""
    return _AWAY


def _passes(error: ResponseError) -> bool:
    return isinstance(error, _FOR_NOW) or str(error).startswith(_FOR_NOW_WORDS)


class answered:  # noqa: N801 - stands for a function
    """As ``away``, for at most so long.

    redis-py's own ``socket_timeout`` is not used: it sends through ``asyncio.wait_for``, which in Python 3.11 swallows
    a cancellation that arrives with the answer, and a task so cancelled never ends.
    """

    def __init__(self, seconds: float = _ANSWER_SECONDS) -> None:
        self._limit = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with away():
            await self._limit.__aexit__(kind, error, traceback)
        _AWAY.__exit__(kind, error, traceback)


class Absence:
    """Says once that Redis went away and once that it is back, however often that is noticed in between.

    Several may share one, of whom some still get answers: it is back when for a while nobody noticed otherwise.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._lasts = False
        self._worked_since = False
        self._noticed_at = _NEVER

    def noticed(self, error: BaseException) -> None:
        """A command failed."""
        now = clock.monotonic()
        another = self._worked_since and now - self._noticed_at >= _STEADY_SECONDS
        level = logging.WARNING if another or not self._lasts else logging.DEBUG
        log.log(level, "%s: Redis is away: %s", self._what, str(error) or type(error).__name__)
        self._lasts, self._worked_since, self._noticed_at = True, False, now

    def over(self) -> None:
        """A command succeeded."""
        self._worked_since = True
        if self._lasts and clock.monotonic() - self._noticed_at >= _STEADY_SECONDS:
            log.warning("%s: Redis is back", self._what)
            self._lasts = False


RunScript = Callable[[Sequence[str], Sequence[Value]], Awaitable[Any]]


class Script:
    """A Lua script; Redis loads it again by itself after losing it."""

    def __init__(self, run: RunScript) -> None:
        self._run = run

    async def __call__(self, *, keys: Sequence[str], args: Sequence[Value]) -> Any:
        """Run it in one step."""
        return await self._run(keys, args)


class WaitingList:
    """A list one task waits on."""

    def __init__(self, line: Line, key: str, limits: TimeLimits) -> None:
        self._line = line
        self._key = key
        self._limits = limits

    async def pop(self, seconds: int) -> bytes | None:
        """Wait for an entry and take it; None if there was none in that time."""
        with away(), self._limits.within(seconds + _ANSWER_SECONDS):
            popped: Sequence[bytes] | None = await self._line.command("BLPOP", self._key, seconds)
        return popped[1] if popped else None


class Store:
    """One process's connection pool to Redis.

    A command whose connection breaks is sent once more: all of these may be repeated. redis-py's own retrying is off,
    because it cannot spare the one script that may not.
    """

    def __init__(self, redis: Any, sentinels: Sequence[Any] = ()) -> None:
        self._redis = redis
        self._sentinels = sentinels
        self._lines: list[Line] = []
        self._heard_at = _NEVER
        self._limits = TimeLimits()

    @classmethod
    def at(cls, url: str) -> Store:
        """A store at a URL; connects when first used, and again whenever it must."""
        return cls(*redis_address.connect(url))

    @property
    def pool(self) -> ConnectionPool:
        """What arq builds its own client on."""
        return cast("ConnectionPool", self._redis.connection_pool)

    def _line(self) -> Line:
        line = Line(self.pool)
        self._lines.append(line)
        return line

    def script(self, text: str, *, repeatable: bool = True, own_line: bool = False) -> Script:
        """Prepare a Lua script; one that may not run twice is not sent again after a broken connection.

        With ``own_line`` its calls go one after the other through a connection kept for it.
        """
        line, sha = self._line() if own_line else None, sha_of(text)
        pooled = self._redis.register_script(text)

        async def once(keys: Sequence[str], args: Sequence[Value]) -> Any:
            try:
                answer = await (pooled(keys=keys, args=args) if line is None else line.script(text, sha, keys, args))
            except BaseException:
                self._heard_at = _NEVER
                raise
            self._heard_at = clock.monotonic()
            return answer

        return self._script(once, repeatable=repeatable)

    def _script(self, once: RunScript, *, repeatable: bool) -> Script:
        return Script(lambda keys, args: self._do(lambda: once(keys, args), repeatable=repeatable))

    async def _do(self, run: Callable[[], Awaitable[AnswerT]], *, repeatable: bool = True) -> AnswerT:
        """A command's answer; one that may be repeated is sent once more if its connection breaks."""
        with away(), self._limits.within(_ANSWER_SECONDS):
            try:
                return await run()
            except (ConnectionBroke, OSError):
                if not repeatable:
                    raise
            except ReadOnlyError:
                await self._leave()
                raise
            await asyncio.sleep(_AGAIN_SECONDS)
            return await run()

    async def _leave(self) -> None:
        """Close the connections nobody uses now, to what is no primary any more: its name may lead elsewhere by now."""
        for connection in list(cast("Any", self.pool)._available_connections):
            await connection.disconnect(nowait=True)  # at once, so that nobody is lent one in between

    def waiting_list(self, key: str) -> WaitingList:
        """A list to wait on, with a connection of its own."""
        return WaitingList(self._line(), key, self._limits)

    async def ping(self, *, unless_heard_within: float = 0.0) -> None:
        """Return if Redis answers, or has answered a script just before."""
        if clock.monotonic() - self._heard_at >= unless_heard_within:
            await self._do(self._redis.ping)

    async def get(self, key: str) -> bytes | None:
        """The value of a key."""
        return cast("bytes | None", await self._do(lambda: self._redis.get(key)))

    async def get_and_exists(self, key: str, other: str) -> tuple[bytes | None, bool]:
        """One key's value, and whether another exists, in one round trip."""

        async def both() -> Any:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.get(key)
                pipe.exists(other)
                return await pipe.execute()

        value, exists = await self._do(both)
        return value, bool(exists)

    async def config(self, pattern: str) -> dict[str, str] | None:
        """Settings of the server; None where it does not show them to us."""
        try:
            return cast("dict[str, str]", await self._do(lambda: self._redis.config_get(pattern)))
        except ResponseError:
            return None

    async def set(self, key: str, value: Value, *, px: int | None = None) -> None:
        """Set a key, to expire after ``px`` milliseconds."""
        await self._do(lambda: self._redis.set(key, value, px=px))

    async def hash(self, key: str) -> dict[str, str]:
        """All fields of a hash; empty where there is none."""
        fields: Mapping[bytes, bytes] = await self._do(lambda: self._redis.hgetall(key))
        return {name.decode(): value.decode() for name, value in fields.items()}

    async def field(self, key: str, name: str) -> bytes | None:
        """One field of a hash."""
        return cast("bytes | None", await self._do(lambda: self._redis.hget(key, name)))

    async def add_field(self, key: str, name: str, value: Value) -> bool:
        """Set a field of a hash unless it is there; whether it was set. Not sent twice: the answer must be true."""
        return bool(await self._do(lambda: self._redis.hsetnx(key, name, value), repeatable=False))

    async def drop_field(self, key: str, name: str) -> bool:
        """Remove a field of a hash; whether it was there. Not sent twice: the answer must be true."""
        return bool(await self._do(lambda: self._redis.hdel(key, name), repeatable=False))

    async def members(self, key: str) -> frozenset[str]:
        """All members of a set."""
        members: set[bytes] = await self._do(lambda: self._redis.smembers(key))
        return frozenset(member.decode() for member in members)

    async def list_end(self, key: str, most: int) -> list[str]:
        """The last entries of a list, oldest first."""
        entries: list[bytes] = await self._do(lambda: self._redis.lrange(key, -most, -1))
        return [entry.decode() for entry in entries]

    async def set_field(self, key: str, field: str, value: str) -> None:
        """Set one field of a hash."""
        await self._do(lambda: self._redis.hset(key, field, value))

    async def drop_fields(self, key: str, fields: Sequence[str]) -> None:
        """Remove fields of a hash."""
        await self._do(lambda: self._redis.hdel(key, *fields))

    async def push_capped(self, key: str, entry: str, most: int) -> None:
        """Add an entry at the end of a list that keeps its last ``most``; twice, perhaps, if the connection breaks."""

        async def push() -> None:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.rpush(key, entry)
                pipe.ltrim(key, -most, -1)
                await pipe.execute()

        await self._do(push)

    async def beat(self, key: str, member: str, now: float, kept_seconds: int) -> None:
        """Score a member of a sorted set with the time, and remove those whose time is long over."""

        async def both() -> None:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.zadd(key, {member: now})
                pipe.zremrangebyscore(key, "-inf", now - kept_seconds)
                await pipe.execute()

        await self._do(both)

    async def members_since(self, key: str, low: float) -> list[str]:
        """The members of a sorted set with at least this score."""
        rows: list[bytes] = await self._do(lambda: self._redis.zrangebyscore(key, low, "+inf"))
        return [row.decode() for row in rows]

    async def drop_member(self, key: str, member: str) -> None:
        """Remove a member of a sorted set."""
        await self._do(lambda: self._redis.zrem(key, member))

    async def hashes(self, keys: Sequence[str]) -> list[dict[str, str]]:
        """All fields of each of several hashes, in one round trip."""

        async def all_of_them() -> Any:
            async with self._redis.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.hgetall(key)
                return await pipe.execute()

        rows: list[Mapping[bytes, bytes]] = await self._do(all_of_them) if keys else []
        return [{name.decode(): value.decode() for name, value in fields.items()} for fields in rows]

    async def read_back(self, stream: str, first: str, last: str, most: int) -> list[tuple[str, dict[str, str]]]:
        """Entries of a stream between two ids, newest first."""
        rows: list[tuple[bytes, Mapping[bytes, bytes]]] = await self._do(
            lambda: self._redis.xrevrange(stream, last, first, count=most)
        )
        return [(number.decode(), {k.decode(): v.decode() for k, v in fields.items()}) for number, fields in rows]

    async def count_between(self, key: str, low: float, high: float) -> int:
        """Members of a sorted set with a score from ``low`` up to, not including, ``high``."""
        return int(await self._do(lambda: self._redis.zcount(key, low, f"({high}")))

    async def publish(self, channel: str, message: str) -> None:
        """Say something to whoever listens now."""
        await self._do(lambda: self._redis.publish(channel, message))

    async def messages(self, channel: str) -> AsyncIterator[str]:
        """What is published on a channel, from now on.

        Raises ``RedisAway`` also where the connection is dead and does not show it: nothing comes, not even a pong.
        """
        line = Line(self.pool)
        with away():
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await line.send("SUBSCRIBE", channel)
                asked = False
                while True:
                    heard = await line.hear(_ANSWER_SECONDS)
                    if heard is None and asked:
                        raise RedisAway("the subscription is silent")
                    if heard is None:
                        await line.send("PING")
                    elif heard[0] == b"message":
                        yield bytes(heard[2]).decode(errors="replace")
                    asked = heard is None
            finally:
                await line.close()

    async def close(self) -> None:
        """Close every connection."""
        for line in self._lines:
            await line.close()
        for client in (self._redis, *self._sentinels):
            await client.aclose(close_connection_pool=True)
