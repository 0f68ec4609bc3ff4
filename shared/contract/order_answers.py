"""Answers about orders of which the gateway has said nothing: made where a call was refused, taken back or lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contract.arguments import ContractQuery, OrderTerms
from shared.contract.orders import CancelResult, ModifyResult, OrderResult, OrderState

NEVER_SENT = (
    "It was never sent, and under this name it never will be. If it is still wanted, place it under a new "
    "client_order_id."
)
"""What to do about an order that is EXPIRED."""

UNCHANGED = "The order was not changed. Read the message, correct the change, and call modify_order again."
"""What to do about a modification that was refused."""


def order_answer(
    parsed: Mapping[str, Any],
    *,
    state: OrderState,
    message: str,
    may_resubmit: bool,
    next_step: str,
    order_id: int | None = None,
) -> OrderResult:
    """The answer to a place tool of whose order the gateway has said nothing yet.

    ``parsed`` is what ``Operation.parse`` gave for the tool. Nothing is invented: what only the gateway knows is null.
    """
    contract: ContractQuery = parsed["contract"]
    terms: OrderTerms = parsed["terms"]
    meant = contract.con_id is None or "currency" in contract.explicit
    return OrderResult(
        order_id=order_id,
        perm_id=None,
        client_order_id=terms.client_order_id,
        status=state.value,
        state=state,
        account=terms.account,
        symbol=contract.symbol or None,
        con_id=contract.con_id,
        currency=contract.currency if meant else None,
        action=parsed["action"],
        quantity=parsed["quantity"],
        limit_price=parsed.get("limit_price"),
        stop_price=parsed.get("stop_price"),
        filled=None,
        avg_fill_price=None,
        message=message,
        warnings=[],
        may_resubmit=may_resubmit,
        next_step=next_step,
    )


def held_back(first: str, *, duplicate: bool) -> tuple[str, str]:
    """What to tell of an order that another stands in the way of, and what to do. ``first`` is a handle of that one."""
    look = f"Nothing was sent. Look at {first} with get_order"
    if duplicate:
        return (
            f"held back: the same order was placed shortly before, or is not settled yet; it is {first}",
            f"{look}. If a second one is really wanted, repeat the call with repeat_of={first}.",
        )
    return (
        f"held back: the fate of order {first} in the same account and contract is unknown",
        f"{look}; it must be resolved first, by the gateway or by the operator (python -m broker_worker resolve).",
    )


def handle_answer(
    parsed: Mapping[str, Any], *, state: OrderState, message: str, next_step: str
) -> ModifyResult | CancelResult:
    """The answer to cancel_order or modify_order where the gateway has said nothing; the order is named as it was."""
    handle: str = parsed["order_id"] if "order_id" in parsed else parsed["order"]
    perm = handle[5:].strip() if handle.lower().startswith("perm:") else None
    number = handle.isascii() and handle.isdigit()
    names: dict[str, Any] = {
        "order_id": int(handle) if number else None,
        "perm_id": int(perm) if perm is not None and perm.isascii() and perm.isdigit() else None,
        "client_order_id": None if number or perm is not None else handle,
    }
    said = {"status": state.value, "state": state, "message": message, "next_step": next_step}
    if "order_id" in parsed:
        unseen = {"state": None if state is OrderState.REJECTED else state, "filled": None, "remaining": None}
        return CancelResult.model_validate(names | said | unseen)
    blank: dict[str, Any] = dict.fromkeys(ModifyResult.model_fields)
    asked = {name: parsed[name] for name in ("quantity", "limit_price", "stop_price")}
    changed = False if state is OrderState.REJECTED else None
    rest: dict[str, Any] = {"warnings": [], "may_resubmit": False, "changed": changed}
    return ModifyResult.model_validate(blank | names | asked | said | rest)


def refused(parsed: Mapping[str, Any], reason: str) -> OrderResult | CancelResult:
    """The answer of an order tool that is switched off here, as under READONLY: nothing was sent."""
    step = "Nothing was sent. Tell your user; the answer stays the same until the operator changes the setting."
    if "terms" not in parsed:
        return handle_answer(parsed, state=OrderState.REJECTED, message=reason, next_step=step)
    return order_answer(parsed, state=OrderState.REJECTED, message=reason, may_resubmit=False, next_step=step)
