"""What the status page shows beside ``get_status``: small words that both processes leave in Redis, each kept bounded.

Every minute of the last hour, the last changes of the link, and the frontends that run. Nothing is decided by them.
"""

from __future__ import annotations

from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared import clock
from shared.contract.answers import Moment
from shared.contract.status import LinkState
from shared.redis_keys import Keys
from shared.redis_store import Store

MINUTES: Final = 60
"""How many minutes are kept."""
CHANGES: Final = 50
"""How many changes of the link are kept."""
FRONTEND_SECONDS: Final = 15.0
"""A frontend that has said nothing for so long is gone."""
_FRONTENDS_KEPT_SECONDS: Final = 3600


class _Word(BaseModel):
    """Written by one release and perhaps read by another: what is not known is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Minute(_Word):
    """One minute of the worker's; the present one is written again and again until it is over."""

    minute: int
    """Since 1970, UTC."""
    queue_depth: int
    """Most jobs seen waiting."""
    calls: int
    """Jobs answered."""
    p50_ms: int | None
    """Half of them were answered within this; None where there were none. From claiming a job to its answer."""
    p95_ms: int | None
    messages: int
    """Sent to the gateway."""
    messages_limit: int
    """Most that a minute allows."""
    lines: int
    """Most market data lines seen open."""
    lines_limit: int


class LinkChange(_Word):
    """The link came into a state."""

    at: Moment
    link: LinkState
    detail: str | None


class FrontendWord(_Word):
    """One frontend process that runs."""

    name: str
    version: str
    since: Moment
    readonly: bool
    transport: str = Field(description="http or stdio.")


def this_minute() -> int:
    """The number of the minute that is now."""
    return int(_now() // 60)


def _now() -> float:
    return clock.now().timestamp()


class History:
    """Writes and reads them. Everything raises ``RedisAway``."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    async def put_minute(self, minute: Minute) -> None:
        """Set one minute, and forget those that are too old."""
        known = await self._store.hash(self._keys.minutes)
        old = [name for name in known if not name.isdigit() or int(name) <= minute.minute - MINUTES]
        await self._store.set_field(self._keys.minutes, str(minute.minute), minute.model_dump_json())
        if old:
            await self._store.drop_fields(self._keys.minutes, old)

    async def minutes(self) -> list[Minute]:
        """Those of the last hour that there are, oldest first."""
        rows = await self._store.hash(self._keys.minutes)
        found = [word for text in rows.values() if (word := _read(Minute, text)) is not None]
        oldest = this_minute() - MINUTES
        return sorted((word for word in found if word.minute > oldest), key=lambda word: word.minute)

    async def put_change(self, change: LinkChange) -> None:
        """Note a change of the link."""
        await self._store.push_capped(self._keys.link_changes, change.model_dump_json(), CHANGES)

    async def changes(self) -> list[LinkChange]:
        """The last ones, oldest first."""
        rows = await self._store.list_end(self._keys.link_changes, CHANGES)
        return [word for text in rows if (word := _read(LinkChange, text)) is not None]

    async def put_frontend(self, word: FrontendWord) -> None:
        """A frontend still runs."""
        await self._store.beat(self._keys.frontends, word.model_dump_json(), _now(), _FRONTENDS_KEPT_SECONDS)

    async def drop_frontend(self, word: FrontendWord) -> None:
        """It ends."""
        await self._store.drop_member(self._keys.frontends, word.model_dump_json())

    async def frontends(self) -> list[FrontendWord]:
        """Those that run, by name."""
        rows = await self._store.members_since(self._keys.frontends, _now() - FRONTEND_SECONDS)
        found = [word for text in rows if (word := _read(FrontendWord, text)) is not None]
        return sorted(found, key=lambda word: (word.since, word.name))


WordT = TypeVar("WordT", bound=_Word)


def _read(cls: type[WordT], text: str) -> WordT | None:
    try:
        return cls.model_validate_json(text)
    except ValidationError:
        return None
