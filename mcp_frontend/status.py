"""``get_status``: the state of every part, put together from Redis, whatever is away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import ValidationError

from shared import VERSION
from shared.contract import Call
from shared.contract.status import BridgeStatus, Durability, LinkState, SessionStatus, StatusTools, WorkerStatus
from shared.queue import scripts
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store

REDIS_SECONDS = 2.0
"""Longest wait for Redis before the status says that it is away."""

STALE_SECONDS = 10.0
"""Age of the worker's word from which on it says nothing about now."""

_MEANING = {
    LinkState.CONNECTING: "The worker is connecting to the gateway. Retry after 10 s.",
    LinkState.SYNCHRONISING: "The gateway is connected and is sending accounts and orders. Retry after 5 s.",
    LinkState.LINK_LOST: "The link to the gateway, or the gateway's to IBKR, is lost; the worker reconnects by itself. "
    "Retry after 15 s.",
    LinkState.PLANNED_OUTAGE: "The gateway or IBKR is in its planned restart; the worker reconnects by itself. "
    "Retry after 60 s.",
    LinkState.AWAITING_SIGN_IN: "The gateway waits for a person to sign in; the worker connects by itself after that. "
    "Tell your user.",
    LinkState.CLIENT_ID_TAKEN: "The gateway still holds our client id, probably our own earlier connection; the worker "
    "waits for it to let go. Retry after 30 s; if it lasts, another program uses IBKR_CLIENT_ID.",
    LinkState.WRONG_ACCOUNT: "The gateway's account does not fit IBKR_TRADING_MODE; nothing is traded. "
    "Tell the operator of this server.",
}

_REFUSED = "READONLY: orders are refused."
_UNKNOWN = (
    "An order's state is UNKNOWN: no new one for its contract is sent until it is settled. Call get_orders, and tell "
    "the operator of this server."
)
_FORGETS = " Redis forgets the records of orders when it restarts: tell the operator of this server."


@dataclass(frozen=True, slots=True)
class _Seen:
    """What Redis says."""

    worker: WorkerStatus | None
    unreadable: bool
    """Whether the worker's word is there and this release cannot read it."""
    heartbeat: bool
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much there is of what, for the metrics."""

    worker_running: bool
    trades: int
    """Orders and cancellations waiting to be claimed."""
    queries: int
    orders_unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What decides whether a call can go to a gateway session."""

    accounts: tuple[str, ...]
    """As its worker last said; empty where none has yet."""
    ready: bool


class RedisStatus(StatusTools):
    """Answers for one gateway session, from Redis alone."""

    def __init__(self, store: Store, keys: Keys, *, readonly: bool) -> None:
        self._store = store
        self._keys = keys
        self._readonly = readonly

    async def get_status(self, call: Call) -> BridgeStatus:
        """The state of every part."""
        seen = await self._look()
        now = datetime.now(UTC)
        worker = _as_seen_by(call, seen.worker) if seen and seen.worker else None
        age = max((now - worker.heartbeat).total_seconds(), 0.0) if worker else None
        ready, message = _verdict(seen, age)
        readonly = self._readonly or bool(worker and worker.readonly)
        unknown = await self._unknown(call) if seen else None
        return BridgeStatus(
            session=self._keys.session,
            ready=ready,
            message=" ".join(filter(None, (message, _UNKNOWN if unknown else "", _REFUSED if readonly else ""))),
            readonly=readonly,
            readonly_frontend=self._readonly,
            worker_running=bool(seen and seen.heartbeat),
            worker=worker,
            queue_depth=seen.depth if seen else None,
            orders_unknown=unknown,
            seconds_since_heartbeat=None if age is None else Decimal(str(round(age, 1))),
            further_sessions=[],
            frontend_version=VERSION,
            as_of=now,
        )

    async def sight(self) -> Sight:
        """Which accounts there are and whether they can be served; raises ``RedisAway``."""
        seen = await self._look()
        if seen is None:
            raise RedisAway("Redis does not answer")
        age = (datetime.now(UTC) - seen.worker.heartbeat).total_seconds() if seen.worker else None
        accounts = tuple(seen.worker.accounts) if seen.worker else ()
        return Sight(accounts=accounts, ready=_verdict(seen, age)[0])

    async def ready(self) -> tuple[bool, str]:
        """Whether Redis answers and a worker serves, and if not, why: what a load balancer asks."""
        seen = await self._look()
        if seen is None:
            return False, "Redis cannot be reached"
        return (True, "ready") if seen.heartbeat else (False, "no worker is running")

    async def sizes(self) -> Sizes | None:
        """How much waits and is unknown; None where Redis does not answer."""
        keys = self._keys
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                _, heartbeat = await self._store.get_and_exists(keys.status, keys.heartbeat)
                return Sizes(
                    worker_running=heartbeat,
                    trades=await self._store.count_between(keys.queue, 0, scripts.LANE_BOUNDARY),
                    queries=await self._store.count_between(keys.queue, scripts.LANE_BOUNDARY, scripts.CLAIMED),
                    orders_unknown=len(await self._store.hash(keys.orders_unknown)),
                )
        except (RedisAway, TimeoutError):
            return None

    async def _unknown(self, call: Call) -> int | None:
        """How many orders that the caller may see have an unknown fate; None where Redis does not answer."""
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                places = (await self._store.hash(self._keys.orders_unknown)).values()
        except (RedisAway, TimeoutError):
            return None
        return sum(call.may_see(place.partition("|")[0]) for place in places)

    async def _look(self) -> _Seen | None:
        """What Redis says; None where it does not answer."""
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                text, heartbeat = await self._store.get_and_exists(self._keys.status, self._keys.heartbeat)
                depth = await self._store.count_between(self._keys.queue, 0, scripts.CLAIMED)
        except (RedisAway, TimeoutError):
            return None
        try:
            worker = WorkerStatus.model_validate_json(text) if text else None
        except ValidationError:
            return _Seen(None, unreadable=True, heartbeat=heartbeat, depth=depth)
        return _Seen(worker, unreadable=False, heartbeat=heartbeat, depth=depth)


class StatusOfAll(StatusTools):
    """Answers for several gateway sessions: the caller's first, and beside it the further ones."""

    def __init__(self, sessions: Sequence[RedisStatus]) -> None:
        self._sessions = sessions

    async def get_status(self, call: Call) -> BridgeStatus:
        """The state of every session in which the caller has an account, or may have one."""
        words = await asyncio.gather(*(session.get_status(call) for session in self._sessions))
        own = [word for word in words if word.worker is None or word.worker.accounts or call.accounts is None]
        first, *others = own or words
        if not others:
            return first
        return first.model_copy(
            update={
                "ready": all(word.ready for word in (first, *others)),
                "message": " ".join(f"{word.session}: {word.message}" for word in (first, *others)),
                "orders_unknown": _sum(word.orders_unknown for word in (first, *others)),
                "further_sessions": [_beside(word) for word in others],
            }
        )


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(filter(None, known))


def _beside(word: BridgeStatus) -> SessionStatus:
    worker = word.worker
    return SessionStatus(
        session=word.session,
        ready=word.ready,
        message=word.message,
        accounts=worker.accounts if worker else [],
        trading_mode=worker.trading_mode if worker else None,
        readonly=word.readonly,
        worker_running=word.worker_running,
        queue_depth=word.queue_depth,
    )


def _as_seen_by(call: Call, worker: WorkerStatus) -> WorkerStatus:
    return worker.model_copy(update={"accounts": [name for name in worker.accounts if call.may_see(name)]})


def _verdict(seen: _Seen | None, age: float | None) -> tuple[bool, str]:
    """Whether the gateway's tools can be served, and the sentence that says so."""
    if seen is None:
        return False, "Redis cannot be reached; the server reconnects by itself. Retry after 5 s."
    if not seen.heartbeat:
        last = "" if age is None else f" (the last one spoke {age:.0f} s ago)"
        return (
            False,
            f"No worker is running{last}; tools that need the gateway fail until one starts. Retry after 10 s.",
        )
    if seen.unreadable:
        return False, "The worker's status cannot be read: frontend and worker are of different releases."
    if seen.worker is None or age is None:
        return False, "The worker has just started and has not said how it is. Retry after 2 s."
    return _link_verdict(seen.worker, age)


def _link_verdict(worker: WorkerStatus, age: float) -> tuple[bool, str]:
    if age > STALE_SECONDS:
        return (
            False,
            f"The worker runs and has said nothing for {age:.0f} s. Retry after 10 s; if it lasts, restart it.",
        )
    if worker.link is not LinkState.READY:
        detail = f" ({worker.link_detail})" if worker.link_detail else ""
        return False, f"{worker.link.value}{detail}: {_MEANING[worker.link]}"
    forgets = _FORGETS if worker.redis_durability is Durability.FORGETS else ""
    return True, f"Ready: {worker.trading_mode} trading through the gateway.{forgets}"
