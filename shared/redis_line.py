"""One connection to Redis for commands that follow one another, at a fifth of what a pooled command costs.

The connection itself is redis-py's: it signs in, selects, encrypts and parses. What is left out is the pool, which
looks at every connection before it lends it, and the layers that serve every kind of command.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from redis.connection import HiredisRespSerializer
from redis.exceptions import NoScriptError, ReadOnlyError

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

Word = str | bytes | int

_packer: Any = HiredisRespSerializer()


class Line:
    """Sends one command and reads its answer, then the next. Connects when first used, and again whenever it must.

    Whoever is cancelled in the middle of a command breaks the connection: half an answer is of no use to the next.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._connection: Any = None
        self._turn = asyncio.Lock()

    async def command(self, *words: Word) -> Any:
        """The answer; raises redis-py's errors."""
        async with self._turn:
            connection = await self._connected()
            await connection.send_packed_command(_packer.pack(*words), check_health=False)
            try:
                return await connection.read_response()
            except ReadOnlyError:
                await self.close()  # a primary no more: its name may lead elsewhere by now
                raise

    async def script(self, text: str, sha: str, keys: Sequence[str], args: Sequence[Word]) -> Any:
        """The answer of a Lua script, loaded where Redis does not have it."""
        try:
            return await self.command("EVALSHA", sha, len(keys), *keys, *args)
        except NoScriptError:
            await self.command("SCRIPT", "LOAD", text)
            return await self.command("EVALSHA", sha, len(keys), *keys, *args)

    async def send(self, *words: Word) -> None:
        """Send a command whose answers are read by ``hear``."""
        connection = await self._connected()
        await connection.send_packed_command(_packer.pack(*words), check_health=False)

    async def hear(self, seconds: float) -> Sequence[Any] | None:
        """The next thing said on this connection; None if nothing was in that time."""
        heard = await self._connection.read_response(timeout=seconds, disconnect_on_error=False)
        return cast("Sequence[Any] | None", heard)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.disconnect(nowait=True)

    async def _connected(self) -> Any:
        if self._connection is None:
            self._connection = cast("Any", self._pool).make_connection()
        if not self._connection.is_connected:
            await self._connection.connect()
        return self._connection


def sha_of(text: str) -> str:
    """The name by which Redis knows a script."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
