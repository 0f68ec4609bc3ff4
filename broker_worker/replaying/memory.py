"""Redis in this process's memory, for one replay: the real scripts, told the recording's time where they ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared import clock
from shared.queue.lease import Lease
from shared.redis_keys import Keys
from shared.redis_store import Script, Store, Value

_TIME = "redis.call('TIME')"


class MemoryStore(Store):
    """A store that nobody else can reach. Raises ``ImportError`` where the development requirements are not there."""

    def __init__(self) -> None:
        import fakeredis  # noqa: PLC0415 - a development requirement, which the worker itself does without

        super().__init__(fakeredis.FakeAsyncRedis())

    def script(self, text: str, *, repeatable: bool = True, own_line: bool = False) -> Script:
        """Prepare a Lua script, which is told the time instead of asking for it."""
        del own_line

        async def once(keys: Sequence[str], args: Sequence[Value]) -> Any:
            seconds, fraction = divmod(clock.now().timestamp(), 1)
            told = f"{{'{int(seconds)}', '{int(fraction * 1_000_000)}'}}"
            return await self._redis.eval(text.replace(_TIME, told), len(keys), *keys, *args)

        return self._script(once, repeatable=repeatable)


class OwnLease(Lease):
    """A lease that nobody else can want; it is ours for good."""

    def __init__(self, store: Store, keys: Keys) -> None:
        super().__init__(store, keys, "replay")
        self._key = keys.lease
        self._own_store = store

    async def take(self) -> None:
        """Take it."""
        self.holder = "replay:1"
        await self._own_store.set(self._key, self.holder)

    def safe(self) -> bool:
        """Always."""
        return True
