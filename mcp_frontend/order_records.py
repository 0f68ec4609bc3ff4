"""``get_order`` and ``wait_for_order``: an order's story from its record in Redis, whatever else is away."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

from shared import clock, json_text
from shared.contract import OPERATIONS, Call
from shared.contract.order_answers import NEVER_SENT, held_back, order_answer
from shared.contract.order_records import MOST_WAITED, OrderDetail, OrderRecordTools
from shared.contract.orders import OrderState
from shared.errors import InvalidArgument, QueueDown, Unavailable
from shared.order_records import OrderRecords, Sighting, Stage, StoredOrder
from shared.redis_store import RedisAway

_LOOK_EVERY = 0.25
"""Seconds between looks while waiting; one look is one read in Redis."""
_SAY_EVERY = 5.0

_QUEUED = "The order waits for the worker. Do not place it again; call wait_for_order, or repeat the first call."
_HELD = "Nothing was sent. The same call again, under the same client_order_id, tries again."
_FORGOTTEN = "Redis has lost its memory; whether an earlier call had the order sent is not known until it is restored"
_SENDING = "It may have reached the gateway. Do not place it again; call wait_for_order."


class RecordedOrders(OrderRecordTools):
    """Answers from Redis alone."""

    def __init__(self, records: OrderRecords) -> None:
        self._records = records

    async def get_order(self, call: Call, order: str) -> OrderDetail:
        """See the contract."""
        try:
            key = await self._key(call, order)
            return await self._detail(call, key, order)
        except RedisAway as error:
            raise QueueDown("Redis cannot be reached, where the orders' records are") from error

    async def wait_for_order(self, call: Call, order: str, timeout: int = MOST_WAITED) -> OrderDetail:  # noqa: ASYNC109
        """See the contract."""
        give_up = time.monotonic() + timeout
        said_at, said = 0.0, ""
        while True:
            detail = await self.get_order(call, order)
            over = detail.state is None or detail.state.final
            if over or time.monotonic() >= give_up:
                return detail
            if detail.status != said or time.monotonic() - said_at >= _SAY_EVERY:
                said_at, said = time.monotonic(), detail.status
                await call.progress(f"the order is {detail.status}")
            await asyncio.sleep(min(_LOOK_EVERY, max(give_up - time.monotonic(), 0)))

    async def _key(self, call: Call, handle: str) -> str:
        """The key of the order a handle names, or empty; raises ``InvalidArgument`` where it names several."""
        found = await self._records.keys_meant(call.caller, handle)
        if len(found) < 2:
            return found[0] if found else ""
        records = [await self._records.get(key) for key in found]
        seen = [record for record in records if record is not None and open_to(call, record)]
        if len(seen) > 1:
            perms = [f"perm:{number}" for record in seen if (number := _perm_of(record)) is not None]
            raise InvalidArgument(f"order {handle} could be {'; '.join(perms)}", action="name the order by its perm:N")
        return seen[0].key if seen else ""

    async def _detail(self, call: Call, key: str, handle: str) -> OrderDetail:
        seen = await self._records.look(key)
        stored = seen.order
        if stored is None and not seen.reconciled:
            raise Unavailable(
                f"Redis has no memory of the orders and the worker has not restored it yet; {handle} may exist",
                action="do not place it again; call get_order again once get_status is ready",
                retry="after 10 s",
            )
        if stored is None or not open_to(call, stored):
            return _not_found(handle)
        history = await self._records.history(key)
        return detail_of(seen).model_copy(update={"history": history})


def detail_of(seen: Sighting) -> OrderDetail:
    """What a record that is there says of its order, without the history."""
    stored = seen.order
    if stored is None:
        raise ValueError("there is no record")
    if stored.view is not None and stored.stage is not Stage.UNSENT:
        return OrderDetail.model_validate(json_text.loads(stored.view))
    return _without_word(stored, seen)


def open_to(call: Call, stored: StoredOrder) -> bool:
    """Whether the caller may see the order: its account is open to it, or it asked for it itself just now."""
    account = stored.account
    if account is not None:
        return call.may_see(account)
    return call.accounts is None or stored.caller == call.caller


def _perm_of(stored: StoredOrder) -> int | None:
    view: dict[str, Any] = json.loads(stored.view or "{}")
    perm_id: int | None = view.get("perm_id")
    return perm_id


def _without_word(stored: StoredOrder, seen: Sighting) -> OrderDetail:
    """An order of which the gateway has said nothing yet."""
    late = stored.stage is Stage.QUEUED and seen.at_ms >= stored.number("deadline_ms")
    message: str | None
    if stored.stage is Stage.QUEUED and not late:
        state, message, step = OrderState.PENDING, "it waits for the worker", _QUEUED
    elif stored.stage is Stage.SENDING:
        state, message, step = (
            OrderState.UNKNOWN,
            "it was being sent; whether the gateway has it is not known",
            _SENDING,
        )
    elif not seen.reconciled:
        state, message, step = OrderState.UNKNOWN, _FORGOTTEN, _SENDING
    elif stored.stage is Stage.HELD:
        state, (message, step) = OrderState.REJECTED, _held(stored)
    else:
        why = stored.fields.get("why", "its deadline passed before any worker began it")
        state, message, step = OrderState.EXPIRED, f"{why}; the gateway never saw it", NEVER_SENT
    order_type, asked = _as_asked(stored)
    return OrderDetail(
        order_id=None,
        perm_id=None,
        client_order_id=stored.client_order_id,
        status=state.value,
        state=state,
        **asked,
        order_type=order_type,
        filled=None,
        remaining=None,
        avg_fill_price=None,
        message=message,
        warnings=[],
        fills=[],
        history=[],
        may_resubmit=state is OrderState.EXPIRED
        or (state is OrderState.REJECTED and stored.number("may_resubmit") == 1),
        next_step=step,
        as_of=datetime.fromtimestamp((stored.number("begun_ms") or stored.number("queued_ms")) / 1000, UTC),
    )


def _held(stored: StoredOrder) -> tuple[str, str]:
    """Why an order was held back, and what to do."""
    if first := stored.fields.get("held_by"):
        return held_back(first, duplicate=stored.fields["held_for"] == "DUPLICATE")
    return stored.fields.get("why", "held back"), _HELD


_TERMS = ("account", "symbol", "con_id", "currency", "action", "quantity", "limit_price", "stop_price")


def _as_asked(stored: StoredOrder) -> tuple[str | None, dict[str, Any]]:
    """The order's type and terms as the agent asked for them."""
    operation = OPERATIONS.get(stored.fields.get("operation", ""))
    if operation is None or "arguments" not in stored.fields:
        return None, dict.fromkeys(_TERMS)
    parsed = operation.parse(json.loads(stored.fields["arguments"]))
    answer = order_answer(parsed, state=OrderState.PENDING, message="", may_resubmit=False, next_step="")
    words = {"place_limit_order": "LMT", "place_market_order": "MKT", "place_stop_order": "STP"}
    known = json.loads(stored.fields.get("order", "{}"))  # once a worker had it, its contract is certain
    settled = {name: known[name] for name in ("account", "con_id") if name in known}
    return words.get(operation.name), {name: getattr(answer, name) for name in _TERMS} | settled


def _not_found(handle: str) -> OrderDetail:
    blank: dict[str, Any] = dict.fromkeys(OrderDetail.model_fields)
    return OrderDetail.model_validate(
        blank
        | {
            "client_order_id": None if handle.isdigit() or handle.lower().startswith("perm:") else handle,
            "status": "NOT_FOUND",
            "message": f"there is no record of order {handle}",
            "warnings": [],
            "fills": [],
            "history": [],
            "may_resubmit": False,
            "next_step": "Check the name with get_orders; an order's name belongs to the caller that gave it.",
            "as_of": clock.now(),
        }
    )
