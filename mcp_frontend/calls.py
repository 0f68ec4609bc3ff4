"""From a tool's name and arguments to its answer: checked, permitted, sent to the worker, and logged in one line."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json

from mcp_frontend import orders
from mcp_frontend.arguments import check_arguments
from mcp_frontend.callers import Caller, Identify
from mcp_frontend.decisions import OrderCall
from mcp_frontend.errors import seen_by_client
from mcp_frontend.rates import Rates
from mcp_frontend.sessions import Choose, Session
from shared import json_text, logs, traces
from shared.contract import Call, Effect, Operation
from shared.contract.call import new_request_id
from shared.contract.operation import PATIENCE
from shared.contract.order_answers import refused
from shared.envelope import read_answer
from shared.errors import BridgeError, Internal, QueueDown, TimedOut, Unavailable
from shared.metrics import Observe, unobserved
from shared.order_records import OrderRecords, order_key
from shared.queue.client import GRACE_SECONDS
from shared.redis_store import RedisAway

log = logging.getLogger(__name__)

_ONLY_THIS_CALL = (
    "this call was taken back before any worker began it; an earlier one under the same name may have sent it"
)

UNLIMITED = frozenset({"cancel_order"})
"""What no rate holds back: taking risk away must always be possible."""

READONLY_REASON = "READONLY is set in this server's environment; orders are neither placed nor cancelled"

Say = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in its two forms, which say the same."""

    text: str
    """Compact JSON with exact numbers."""
    structured: Mapping[str, Any]


def _reply(answer: BaseModel) -> Reply:
    text = json_text.dumps(answer)
    return Reply(text, from_json(text))


class Calls:
    """Answers every tool. One for each process; it keeps nothing between calls."""

    def __init__(
        self,
        home: Session,
        identify: Identify,
        rates: Rates,
        observe: Observe = unobserved,
        *,
        readonly: bool,
        choose: Choose | None = None,
    ) -> None:
        """``home`` serves every call; where there are several gateway sessions, ``choose`` says which one does."""
        self._home = home
        self._choose = choose
        self._identify = identify
        self._rates = rates
        self._observe = observe
        self._readonly = readonly

    async def answer(self, operation: Operation, arguments: Mapping[str, Any], say: Say) -> Reply:
        """The tool's answer; raises nothing but ``BridgeError`` and cancellation."""
        request_id = new_request_id()
        started = time.monotonic()
        caller, outcome = "?", "LEFT"
        before = logs.CALL.set({"request_id": request_id})
        try:
            identity = self._identify()
            caller = identity.name
            logs.CALL.set({"request_id": request_id, "caller": caller})
            reply = await self._answer(operation, arguments, identity, request_id, say)
        except Exception as error:
            seen = seen_by_client(error, request_id)
            outcome = seen.code
            if isinstance(seen, Internal) and seen is not error:
                log.exception("request %s failed", request_id, extra={"request_id": request_id})
            raise seen from error
        else:
            outcome = "OK"
            return reply
        finally:
            seconds = time.monotonic() - started
            self._observe(operation.name, outcome, seconds)
            traces.note(request_id=request_id, caller=caller, outcome=outcome)
            log.info(
                "%s %s",
                operation.name,
                outcome,
                extra={
                    "request_id": request_id,
                    "tool": operation.name,
                    "caller": caller,
                    "outcome": outcome,
                    "duration_ms": round(seconds * 1000, 1),
                },
            )
            logs.CALL.reset(before)

    async def _answer(
        self, operation: Operation, arguments: Mapping[str, Any], caller: Caller, request_id: str, say: Say
    ) -> Reply:
        trades = operation.marker.effect is Effect.TRADES
        order = OrderCall(self._home.audit, operation, caller.name, request_id, arguments) if trades else None
        try:
            check_arguments(arguments)
            parsed = operation.parse(arguments)
            caller.require(operation)
            if operation.name not in UNLIMITED:
                await self._rates.take(caller)
        except BridgeError as error:
            if order is not None:
                await order.decided(error.code, error.fact)
            raise
        if self._readonly and order is not None:
            await order.decided("REJECTED", READONLY_REASON)
            return _reply(refused(parsed, READONLY_REASON))
        limit = min(operation.marker.time_limit, PATIENCE - GRACE_SECONDS)
        call = Call(
            caller=caller.name,
            scopes=caller.scopes,
            accounts=caller.accounts,
            authenticated=caller.authenticated,
            request_id=request_id,
            deadline=datetime.now(UTC) + timedelta(seconds=limit),
            progress=say,
        )
        session = self._home
        if self._choose is not None:
            session = await self._chosen(self._choose, operation, parsed, call, order)
        if operation.marker.answered_by == "frontend":
            async with asyncio.timeout(limit):
                return _reply(await operation.invoke(session.handlers[operation.toolset], call, parsed))
        if order is not None:
            return await self._trade(session, replace(order, audit=session.audit), call)
        return Reply(*read_answer(await session.jobs.call(operation, _without_nulls(arguments), call)))

    async def _chosen(
        self, choose: Choose, operation: Operation, parsed: Mapping[str, Any], call: Call, order: OrderCall | None
    ) -> Session:
        try:
            return await choose(operation, parsed, call)
        except BridgeError as error:
            if order is not None:
                await order.decided(error.code, error.fact)
            raise

    async def _trade(self, session: Session, order: OrderCall, call: Call) -> Reply:
        """Send an order or cancellation; an error leaves here only where certainly nothing was sent."""
        operation = order.operation
        sent = orders.named(operation, _without_nulls(order.arguments))
        order = order.named(sent)
        parsed = operation.parse(sent)
        key = order_key(call.caller, str(sent["client_order_id"])) if "terms" in parsed else None
        try:
            if key is not None:
                await _enter(session.records, key, operation, sent, call)
            text = await session.jobs.call(operation, sent, call)
        except TimedOut as error:  # raised on this side of the queue, it means: withdrawn before any worker began
            if key is None:
                await order.decided(error.code, error.fact)
                raise
            if not await _leave(session.records, key, error, ended=True):
                await order.decided("UNKNOWN", _ONLY_THIS_CALL)
                return _reply(orders.unresolved(parsed, TimedOut(_ONLY_THIS_CALL)))
            await order.decided("EXPIRED", error.fact)
            return _reply(orders.expired(parsed, error))
        except Unavailable as error:  # not enqueued
            if key is not None:
                await _leave(session.records, key, error)
            await order.decided(error.code, error.fact)
            raise
        except orders.FATE_UNKNOWN as error:
            order.left_to_the_worker(error.fact)
            return _reply(orders.unresolved(parsed, error))
        except asyncio.CancelledError:
            order.left_to_the_worker("the caller left")
            raise
        try:
            return Reply(*read_answer(text))
        except orders.FATE_UNKNOWN as error:
            return _reply(orders.unresolved(parsed, error))
        except BridgeError as error:  # the worker refused it: nothing was sent by this call
            if key is not None:
                await _leave(session.records, key, error)
            raise
        except Exception as error:
            log.exception("the answer to order request %s is unreadable", call.request_id)
            return _reply(orders.unresolved(parsed, seen_by_client(error, call.request_id)))


async def _enter(records: OrderRecords, key: str, operation: Operation, sent: Mapping[str, Any], call: Call) -> None:
    """Note the order before it is queued, so that it can be asked about wherever it is on its way."""
    try:
        await records.enter(
            key,
            caller=call.caller,
            client_order_id=str(sent["client_order_id"]),
            operation=operation.name,
            arguments=sent,
            deadline_ms=int(call.deadline.timestamp() * 1000),
        )
    except RedisAway as error:
        raise QueueDown("Redis cannot be reached; this call sent nothing") from error


async def _leave(records: OrderRecords, key: str, error: BridgeError, *, ended: bool = False) -> bool:
    """Note that nobody will begin the order; whether it is so, and no earlier call under its name had it begun."""
    try:
        return await records.leave(key, error.fact, ended=ended)
    except RedisAway as away:
        log.info("order %s: that it was taken back was not noted: %s", key, away)
        return False


def _without_nulls(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}
