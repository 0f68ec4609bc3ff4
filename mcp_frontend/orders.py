"""Orders as the frontend sees them: each has a name before it leaves, and none ends in an error that hides its fate."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from typing import Any

from shared.contract import Effect, Operation
from shared.contract.order_answers import NEVER_SENT, handle_answer, order_answer
from shared.contract.orders import CancelResult, OrderResult, OrderState
from shared.errors import BridgeError, Internal, OrderUnresolved, TimedOut

FATE_UNKNOWN = (OrderUnresolved, TimedOut, Internal)
"""Answered by a worker to an order, these leave open whether the gateway has it."""


def named(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with a client_order_id made where the tool takes one and none was given.

    Made here and not in the worker: where the answer is lost, the name is what the order is found by.
    """
    if operation.marker.effect is not Effect.TRADES or "client_order_id" not in operation.argument_names:
        return dict(arguments)
    return {"client_order_id": _new_name()} | {key: value for key, value in arguments.items() if value is not None}


def _new_name() -> str:
    """Short, unique, and with letters, so that it is never taken for an order number."""
    return "a-" + base64.b32encode(secrets.token_bytes(10)).decode().lower()


def unresolved(parsed: Mapping[str, Any], error: BridgeError) -> OrderResult | CancelResult:
    """The answer where it is not known here whether the gateway has the order or the cancellation."""
    if "terms" not in parsed:
        step = "Call get_orders to see the order; the same call again does no harm."
        return handle_answer(parsed, state=OrderState.UNKNOWN, message=error.fact, next_step=step)
    name = parsed["terms"].client_order_id
    return order_answer(
        parsed,
        state=OrderState.UNKNOWN,
        message=error.fact,
        may_resubmit=False,
        next_step=f"Repeat exactly this call with client_order_id {name} to get the order's answer (it never places a "
        "second one), or look for it in get_orders. Do not place it under another name.",
    )


def expired(parsed: Mapping[str, Any], error: BridgeError) -> OrderResult:
    """The answer to a place tool whose order was taken back before any worker began it: it certainly does not exist."""
    return order_answer(
        parsed,
        state=OrderState.EXPIRED,
        message=error.fact,
        may_resubmit=True,
        next_step=f"Call get_status first. {NEVER_SENT}",
    )
