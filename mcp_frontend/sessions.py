"""Gateway sessions behind one frontend: what each is reached by, and which of several a call is for.

A gateway session is one login at IBKR: one gateway, one worker, one queue, one set of records. Where a frontend serves
several, the account decides. An account that two logins share belongs to the first of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mcp_frontend.order_records import RecordedOrders, open_to
from mcp_frontend.status import RedisStatus, Sight
from shared.audit import Audit
from shared.contract import Call, Effect, Operation, Toolset
from shared.contract.order_records import OrderRecordTools
from shared.contract.status import StatusTools
from shared.errors import InvalidArgument, KeyReused, QueueDown, Unavailable, WrongAccount
from shared.history import History
from shared.order_records import OrderRecords, StoredOrder, order_key
from shared.queue.client import JobClient
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store

_BELIEVED_SECONDS: Final = 1.0
"""How long what a worker said of its accounts and its link is believed; it speaks every second."""

_BY_NAME: Final = "name the order by its client_order_id, or its perm:N where it was placed elsewhere"


@dataclass(frozen=True, slots=True)
class Session:
    """Everything by which one gateway session is reached."""

    name: str
    jobs: JobClient
    records: OrderRecords
    audit: Audit
    history: History
    status: RedisStatus
    handlers: Mapping[type[Toolset], Toolset]
    """Who answers the tools that the frontend answers itself."""

    @classmethod
    def at(
        cls, store: Store, keys: Keys, secret: bytes, status: RedisStatus, told: StatusTools | None = None
    ) -> Session:
        """The session of these keys; ``told`` answers get_status where that is not of this session alone."""
        records = OrderRecords(store, keys)
        return cls(
            name=keys.session,
            jobs=JobClient(store, keys, secret),
            records=records,
            audit=Audit(store, keys),
            history=History(store, keys),
            status=status,
            handlers={StatusTools: told or status, OrderRecordTools: RecordedOrders(records)},
        )


Choose = Callable[[Operation, Mapping[str, Any], Call], Awaitable[Session]]
"""Finds the session that a call, with its arguments as they were parsed, is for."""


class Chooser:
    """Finds the session a call is for. Nothing is guessed where money or an order is meant."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._sessions = sessions
        self._seen: list[Sight] = []
        self._seen_until = 0.0

    async def __call__(self, operation: Operation, parsed: Mapping[str, Any], call: Call) -> Session:
        """The session; raises ``InvalidArgument``, ``WrongAccount``, ``KeyReused`` or ``Unavailable``."""
        if operation.toolset is StatusTools:  # it tells of all, and also where Redis is away
            return self._sessions[0]
        try:
            if (handle := parsed.get("order_id", parsed.get("order"))) is not None:
                return await self._of_order(str(handle), call)
            if "account" not in operation.argument_names:
                return await self._serving(call)
            return await self._of_account(operation, parsed, call)
        except RedisAway as error:
            raise QueueDown("Redis cannot be reached; this call sent nothing") from error

    async def _look(self) -> list[Sight]:
        """What each worker last said of itself."""
        if time.monotonic() >= self._seen_until:
            self._seen = list(await asyncio.gather(*(session.status.sight() for session in self._sessions)))
            self._seen_until = time.monotonic() + _BELIEVED_SECONDS
        return self._seen

    async def _serving(self, call: Call) -> Session:
        """For what concerns no account: the first session that is ready, of those in which the caller has accounts."""
        seen = await self._look()
        pairs = list(zip(self._sessions, seen, strict=True))
        own = [pair for pair in pairs if any(call.may_see(account) for account in pair[1].accounts)] or pairs
        return next((session for session, sight in own if sight.ready), own[0][0])

    async def _of_account(self, operation: Operation, parsed: Mapping[str, Any], call: Call) -> Session:
        terms = parsed.get("terms")
        account: str | None = parsed.get("account") if terms is None else terms.account
        meant = self._owner(account, await self._look(), call)
        if operation.marker.effect is Effect.TRADES and terms is not None and terms.client_order_id is not None:
            return await self._of_name(terms.client_order_id, account, meant, call)
        return meant

    def _owner(self, account: str | None, seen: list[Sight], call: Call) -> Session:
        """Whose the account is; without one, the session in which all of the caller's accounts lie."""
        owners: dict[str, Session] = {}
        for session, sight in zip(self._sessions, seen, strict=True):
            for one in sight.accounts:
                if call.may_see(one):
                    owners.setdefault(one, session)
        silent = [session.name for session, sight in zip(self._sessions, seen, strict=True) if not sight.accounts]
        if account is not None and account in owners:
            return owners[account]
        known = ", ".join(sorted(owners))
        if silent and (account is not None or call.accounts is None or any(one not in owners for one in call.accounts)):
            whose = f"whether {account} is one of its accounts" if account else "which accounts it has"
            raise Unavailable(
                f"gateway session {silent[0]} has not said yet {whose}" + (f"; known are {known}" if known else ""),
                retry="after 10 s",
            )
        if account is not None:
            raise WrongAccount(f"account {account} is not one of {known}" if known else _none_open(call))
        found = {session.name: session for session in owners.values()}
        if len(found) > 1:
            raise InvalidArgument(f"account is needed: there are {known}", action="name the account")
        if not found:
            raise WrongAccount(_none_open(call))
        return next(iter(found.values()))

    async def _of_name(self, name: str, account: str | None, meant: Session, call: Call) -> Session:
        """The session in which the caller's name for an order is known already; else the one that is meant.

        One name, one order: a repeat without the account finds the first order, and one with another account is told.
        """
        key = order_key(call.caller, name)
        records = await asyncio.gather(*(session.records.get(key) for session in self._sessions))
        holders = [session for session, record in zip(self._sessions, records, strict=True) if record is not None]
        if not holders or meant in holders:
            return meant
        if account is not None:
            raise KeyReused(f"{name} names an order in an account of gateway session {holders[0].name}")
        return holders[0]

    async def _of_order(self, handle: str, call: Call) -> Session:
        """The session whose records know the order; where none does, one whose worker will say so."""
        known = await asyncio.gather(*(_orders_named(session, handle, call) for session in self._sessions))
        holders = [(session, orders) for session, (orders, _) in zip(self._sessions, known, strict=True) if orders]
        if len(holders) > 1:
            places = "; ".join(
                f"one in {order.account or session.name}" for session, orders in holders for order in orders
            )
            raise InvalidArgument(f"order {handle} could be {places}", action=_BY_NAME)
        # A number is one in each session; a permanent id and an agent's own name are in one only.
        if holders and not handle.isdigit():
            return holders[0][0]
        for session, (_, reconciled) in zip(self._sessions, known, strict=True):
            if not reconciled and session not in [holder for holder, _ in holders]:
                raise Unavailable(
                    f"the orders of gateway session {session.name} are not known yet; {handle} may be one of them",
                    action=_BY_NAME,
                    retry="after 10 s",
                )
        return holders[0][0] if holders else await self._serving(call)


async def _orders_named(session: Session, handle: str, call: Call) -> tuple[list[StoredOrder], bool]:
    """What a session's records know under a handle, and whether they were compared with its gateway."""
    keys = await session.records.keys_meant(call.caller, handle)
    seen = [await session.records.look(key) for key in keys or [""]]
    orders = [sighting.order for sighting in seen if sighting.order is not None and open_to(call, sighting.order)]
    return orders, seen[0].reconciled


def _none_open(call: Call) -> str:
    return f"none of the accounts open to {call.caller} is served here"
