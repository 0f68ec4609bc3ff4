"""One job, from what somebody put into Redis to the answer: read, checked again, run within its time, answered.

The worker trusts nobody: not the frontend, not Redis, not the agent. A refusal is an answer too; nothing raises.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from broker_worker import fail_points
from broker_worker.durability import DurabilityWatch
from shared import clock, logs, traces
from shared.audit import Decision
from shared.contract import OPERATIONS, Call, Effect, Operation, Toolset
from shared.contract.order_answers import NEVER_SENT, order_answer, refused
from shared.contract.orders import OrderState
from shared.envelope import Envelope, error_text, result_text, unseal
from shared.errors import BridgeError, Internal, NotPermitted, OrderUnresolved, TimedOut, UnreadableJob, WorkerDown
from shared.metrics import Observe, unobserved
from shared.order_records import OrderRecords, order_key
from shared.queue.job import Done, Job
from shared.queue.replies import message
from shared.queue.sharing import share_key
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, answered
from shared.time_limit import TimeLimits

log = logging.getLogger(__name__)

Settled = Callable[[], Awaitable[None]]
"""Waits while the gateway link is just starting, so that a restart of the worker is not an error to anybody."""

SLOW_SECONDS = 1.0
"""A plain read that takes longer has a line of its own in the log; of a quicker one the frontend's line tells."""

_KEY_SECONDS = 0.5
"""For finding the key of the order that a cancellation or a change was about."""

LEFT = error_text(TimedOut("the caller left before the answer"))

READONLY_REASON = "READONLY is set for this worker: orders are refused, queries work"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What this worker allows, decided from its own environment alone."""

    session: str
    secret: bytes
    readonly: bool
    trading_mode: Literal["paper", "live"]


class JobRunner:
    """Runs jobs on the classes that implement the contract."""

    def __init__(
        self,
        handlers: Mapping[type[Toolset], Toolset],
        policy: Policy,
        records: OrderRecords,
        durability: DurabilityWatch,
        settled: Settled,
        observe: Observe = unobserved,
    ) -> None:
        self._handlers = handlers
        self._policy = policy
        self._records = records
        self._durability = durability
        self._settled = settled
        self._observe = observe
        self._keys = Keys(policy.session)
        self._limits = TimeLimits()

    async def __call__(self, job: Job) -> Done:
        """The job's answer."""
        started = clock.monotonic()
        envelope: Envelope | None = None
        share = ""
        served = False
        try:
            envelope = unseal(job.body, job.signature, self._policy.secret)
            logs.CALL.set({"request_id": envelope.request_id, "caller": envelope.caller})  # for the job's own task
            result = await (self._traced(envelope, job) if traces.on() else self._answer(envelope, job))
            answer, outcome, served = result_text(result), _outcome(vars(result)), True
            operation = OPERATIONS[envelope.operation]
            share = share_key(self._keys, operation, envelope.arguments, authenticated=envelope.authenticated)
        except BridgeError as error:
            answer, outcome = error_text(error), error.code
        except asyncio.CancelledError:
            # Nobody waits for it any more, or this process ends, of which its caller is told. The task ends here.
            answer, outcome = (LEFT, "left") if job.left() else (error_text(_stopping(envelope)), "stopped")
        except Exception:
            log.exception("job %s failed", job.id)
            answer, outcome = error_text(Internal(f"request {job.id} failed")), Internal.code
        seconds = clock.monotonic() - started
        known = envelope is not None and envelope.operation in OPERATIONS  # whoever writes to Redis invents no labels
        self._observe(envelope.operation if envelope and known else "unknown", outcome, seconds)
        _note(job.id, outcome, envelope, seconds, served=served)
        decision = await self._decision(envelope, outcome, answer) if envelope else _forged(job, outcome, answer)
        if decision is not None:
            fail_points.reach("answered")
        share_ms = int(OPERATIONS[envelope.operation].marker.share_for * 1000) if envelope and share else 0
        return Done(answer, envelope.reply_to if envelope else None, share, share_ms, decision)

    async def _traced(self, envelope: Envelope, job: Job) -> BaseModel:
        """The answer, under a span that continues the frontend's."""
        who = {"request_id": envelope.request_id, "caller": envelope.caller}
        with traces.span(f"job {envelope.operation[:60]}", "consumer", envelope.traceparent, **who):
            try:
                return await self._answer(envelope, job)
            except BridgeError as error:
                traces.note(outcome=error.code)
                raise

    async def _answer(self, envelope: Envelope, job: Job) -> BaseModel:
        operation = self._permitted(envelope, job)
        parsed = operation.parse(envelope.arguments)
        trades = operation.marker.effect is Effect.TRADES
        if trades and self._policy.readonly:
            return refused(parsed, READONLY_REASON)
        if "terms" in parsed and (why := self._durability.refusal()) is not None:
            raise NotPermitted(
                f"no live order is placed: Redis may lose its record; {why}",
                action="set appendonly yes, appendfsync always, no eviction; or REQUIRE_DURABLE_REDIS=false",
            )
        deadline = envelope.deadline
        seconds = (deadline - clock.now()).total_seconds()
        if seconds <= 0:
            return await self._late(operation, parsed, envelope)
        call = Call(
            caller=envelope.caller,
            scopes=envelope.scopes,
            accounts=envelope.accounts,
            authenticated=envelope.authenticated,
            request_id=envelope.request_id,
            deadline=deadline,
            progress=lambda text: job.progress(envelope.reply_to, message("P", job.id, text)),
        )
        try:
            with self._limits.within(min(seconds, operation.marker.time_limit)):
                await self._settled()
                return await operation.invoke(self._handlers[operation.toolset], call, parsed)
        except TimeoutError:
            if not trades:
                raise TimedOut(f"{operation.name} was not done within {operation.marker.time_limit:g} s") from None
            return await self._out_of_time(parsed, envelope, "the gateway did not answer in time")
        except TimedOut as error:
            if not trades or "terms" not in parsed:
                raise
            return await self._out_of_time(parsed, envelope, error.fact)

    async def _late(self, operation: Operation, parsed: Mapping[str, Any], envelope: Envelope) -> BaseModel:
        """The deadline passed while the job was waiting: nobody waits any more, and nothing is begun."""
        why = "the deadline passed before the worker could begin it"
        if operation.marker.effect is not Effect.TRADES or "terms" not in parsed:
            raise TimedOut("the deadline passed before the worker could begin; certainly nothing was sent")
        return await self._out_of_time(parsed, envelope, why)

    async def _out_of_time(self, parsed: Mapping[str, Any], envelope: Envelope, why: str) -> BaseModel:
        """The answer to an order that ran out of time: EXPIRED where it is not begun, and then it never will be.

        Raises ``OrderUnresolved`` where it was begun, or where Redis cannot say.
        """
        if "terms" not in parsed:
            raise OrderUnresolved(why)
        name = parsed["terms"].client_order_id
        try:
            if name is not None and await self._records.leave(order_key(envelope.caller, name), why, ended=True):
                return _never_sent(parsed, why)
        except RedisAway as error:
            raise OrderUnresolved(f"{why}, and Redis went away") from error
        raise OrderUnresolved(f"{why}; it may have been sent by this call or an earlier one")

    async def _decision(self, envelope: Envelope, outcome: str, answer: str) -> Decision | None:
        """The audit entry of a call that was to trade, whatever came of it."""
        operation = OPERATIONS.get(envelope.operation)
        if operation is None or operation.marker.effect is not Effect.TRADES:
            return None
        return Decision(
            by="worker",
            caller=envelope.caller,
            operation=envelope.operation,
            request_id=envelope.request_id,
            arguments=envelope.arguments,
            outcome=outcome,
            detail=answer,
            key="" if outcome == "stopped" else await self._key_of(envelope),
        )

    async def _key_of(self, envelope: Envelope) -> str:
        """The key of the order that a call was about; empty where that is not one, or Redis cannot say."""
        said = envelope.arguments
        if (name := said.get("client_order_id")) is not None:
            return order_key(envelope.caller, str(name))
        handle = str(said.get("order_id") or said.get("order") or "").strip()
        try:
            async with answered(_KEY_SECONDS):
                keys = await self._records.keys_meant(envelope.caller, handle) if handle else []
                return keys[0] if len(keys) == 1 and await self._records.get(keys[0]) is not None else ""
        except (Exception, asyncio.CancelledError) as error:  # the answer is there, and worth more than this
            log.info("which order request %s was about is not in the audit: %r", envelope.request_id, error)
            return ""

    def _permitted(self, envelope: Envelope, job: Job) -> Operation:
        """The operation, where this caller may have it run here."""
        if envelope.session != self._policy.session:
            raise NotPermitted(f"the job is for gateway session {envelope.session!r}, not for this one")
        operation = OPERATIONS.get(envelope.operation)
        if operation is None or operation.marker.answered_by != "worker":
            raise UnreadableJob(f"this worker does not know the operation {envelope.operation[:60]!r}")
        effect = operation.marker.effect
        if effect.scope not in envelope.scopes:
            raise NotPermitted(f"{operation.name} needs the scope {effect.scope}", action="use a key with that scope")
        if effect is Effect.TRADES and not job.trades:
            raise UnreadableJob(f"{operation.name} came by the lane of the queries")
        if self._policy.trading_mode == "live":
            self._check_live(envelope)
        return operation

    def _check_live(self, envelope: Envelope) -> None:
        """Return if a live account may be shown to this caller: one whom a signed job says somebody vouched for."""
        if not self._policy.secret:
            raise NotPermitted(
                "live accounts need signed jobs", action="set JOB_SIGNING_SECRET for the frontends and the worker"
            )
        if not envelope.authenticated:
            raise NotPermitted(
                "live accounts are not served without authentication",
                action="set AUTHENTICATION for the frontends and use a key",
            )


def _never_sent(parsed: Mapping[str, Any], why: str) -> BaseModel:
    return order_answer(
        parsed,
        state=OrderState.EXPIRED,
        message=f"{why}; it was never sent",
        may_resubmit=True,
        next_step=NEVER_SENT,
    )


def _outcome(answer: Mapping[str, object]) -> str:
    """What came of a call that was served, in a word: where the order stands, or that its change did not happen."""
    if answer.get("status") in {"REJECTED", "NOT_FOUND"}:
        return str(answer["status"])
    if answer.get("changed", True) is not True:
        return "NOT_CHANGED" if answer["changed"] is False else "NOT_CONFIRMED"
    return str(answer.get("state") or "ok")


def _forged(job: Job, outcome: str, answer: str) -> Decision | None:
    """What came by the lane of orders and cannot be read or trusted: who it was from is not known."""
    if not job.trades:
        return None
    return Decision(
        by="worker", caller="", operation="", request_id=f"job {job.id}", arguments={}, outcome=outcome, detail=answer
    )


def _note(job_id: str, outcome: str, envelope: Envelope | None, seconds: float, *, served: bool) -> None:
    """One line for what trades or previews, what was refused and what was slow; the rest is for whoever debugs."""
    plain = envelope is not None and served and OPERATIONS[envelope.operation].marker.effect is Effect.READS
    level = logging.DEBUG if plain and seconds < SLOW_SECONDS else logging.INFO
    if not log.isEnabledFor(level):
        return
    extra = {
        "operation": envelope.operation if envelope else None,
        "caller": envelope.caller if envelope else None,
        "request_id": envelope.request_id if envelope else None,
        "ms": round(seconds * 1000, 1),
    }
    # Written once the answer is under way: formatting it takes as long as running an empty job.
    asyncio.get_running_loop().call_later(0, lambda: log.log(level, "job %s: %s", job_id, outcome, extra=extra))


def _stopping(envelope: Envelope | None) -> BridgeError:
    operation = OPERATIONS.get(envelope.operation) if envelope else None
    if operation is not None and operation.marker.effect is Effect.TRADES:
        return OrderUnresolved("the worker was stopped while the order was under way")
    return WorkerDown("the worker was stopped before it could answer")
