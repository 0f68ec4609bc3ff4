"""What an agent is told about an order: where it stands, whether it may be sent again, what to do next."""

from __future__ import annotations

from broker_worker.orders.journal import Begun
from broker_worker.orders.record import Fill, OrderRecord
from shared import json_text
from shared.contract.order_answers import NEVER_SENT, UNCHANGED, held_back
from shared.contract.order_records import OrderDetail, OrderFill
from shared.contract.orders import CancelResult, ExecutionInfo, ModifyResult, OrderInfo, OrderResult, OrderState

NEXT_STEP = {
    OrderState.PENDING: "It was sent and is not acknowledged yet. Do not place it again: repeat this call with the "
    "same client_order_id, or call get_orders.",
    OrderState.WORKING: "Watch it with get_orders; cancel_order cancels it.",
    OrderState.PARTIALLY_FILLED: "Watch it with get_orders; cancel_order cancels the rest.",
    OrderState.FILLED: "Nothing; get_positions shows the holding within a second.",
    OrderState.CANCELLED: "Nothing; place a new order if it is still wanted.",
    OrderState.REJECTED: "Read the message, correct the order, and place it under a new client_order_id.",
    OrderState.EXPIRED: NEVER_SENT,
    OrderState.UNKNOWN: "Do not place it again: it may be working. Call get_orders, or have somebody look in TWS.",
}

_WAITING = {
    OrderState.PENDING: "sent; the gateway has not acknowledged it yet",
    OrderState.UNKNOWN: "it was being sent; the gateway shows no trace of it, and whether it has it is not known",
}


def next_step(record: OrderRecord) -> str:
    """What to do about an order as it stands."""
    if record.state is OrderState.CANCELLED and record.filled:
        filled, ordered, rest = map(json_text.decimal_text, (record.filled, record.quantity, record.remaining))
        return f"{filled} of {ordered} filled. If the rest is still wanted, place a new order for {rest}, no more."
    return NEXT_STEP[record.state]


def shown_status(record: OrderRecord) -> str:
    """The gateway's own word, or ours where it has none."""
    state = record.state
    if state is OrderState.REJECTED and record.status != "Inactive" and not record.status.startswith("Cancel"):
        return "REJECTED"
    return "UNKNOWN" if state is OrderState.UNKNOWN else record.status


def order_result(record: OrderRecord, client_order_id: str | None, note: str | None = None) -> OrderResult:
    """The answer of a place tool."""
    told = detail(record, client_order_id)
    result = OrderResult.model_validate({name: getattr(told, name) for name in OrderResult.model_fields})
    return result.model_copy(update={"warnings": [note, *result.warnings]}) if note else result


def may_resubmit(record: OrderRecord) -> bool:
    """Whether a new order for the same could not be a second one: nothing filled, and it is certainly over."""
    return record.state.final and record.state is not OrderState.FILLED and not record.filled


def order_info(record: OrderRecord, client_order_id: str | None) -> OrderInfo:
    """A row of the list of orders."""
    return OrderInfo(
        order_id=record.order_id,
        perm_id=record.perm_id,
        client_order_id=client_order_id,
        client_id=record.client_id,
        account=record.account,
        symbol=record.symbol,
        local_symbol=record.local_symbol or None,
        sec_type=record.sec_type,
        con_id=record.con_id,
        currency=record.currency,
        action=record.action,
        order_type=record.order_type,
        total_quantity=record.quantity,
        limit_price=record.limit_price,
        stop_price=record.stop_price,
        tif=record.tif,
        outside_rth=record.outside_rth,
        status=shown_status(record),
        state=record.state,
        filled=record.filled,
        remaining=record.remaining,
        avg_fill_price=record.average,
        message=record.refusal,
        warnings=list(record.warnings),
    )


def names(record: OrderRecord) -> list[str]:
    """The names beside its key by which a record may be found."""
    found = [f"perm:{perm_id}" for perm_id in sorted(record.perm_ids)]
    return [*found, f"id:{record.order_id}"] if record.order_id is not None else found


def detail(record: OrderRecord, client_order_id: str | None) -> OrderDetail:
    """The order's story but for its history, which the records keep."""
    state = record.state
    known = state not in {OrderState.PENDING, OrderState.UNKNOWN} or bool(record.filled)
    return OrderDetail(
        order_id=record.order_id,
        perm_id=record.perm_id,
        client_order_id=client_order_id,
        status=shown_status(record),
        state=state,
        account=record.account,
        symbol=record.symbol,
        local_symbol=record.local_symbol or None,
        con_id=record.con_id,
        currency=record.currency,
        action=record.action,
        order_type=record.order_type,
        quantity=record.quantity,
        limit_price=record.limit_price,
        stop_price=record.stop_price,
        filled=record.filled if known else None,
        remaining=record.remaining if known else None,
        avg_fill_price=record.average,
        message=record.refusal or _WAITING.get(state),
        warnings=list(record.warnings),
        fills=[
            OrderFill(
                quantity=fill.quantity,
                price=fill.price,
                time=fill.time,
                commission=fill.commission,
                commission_currency=fill.commission_currency,
            )
            for fill in sorted(record.fills.values(), key=lambda fill: fill.time)
        ],
        history=[],
        may_resubmit=may_resubmit(record),
        next_step=next_step(record),
        as_of=record.seen,
    )


def result_from_view(view: str) -> OrderResult:
    """The answer of a place tool from the stored story of its order."""
    stored = json_text.loads(view)
    known = {name: stored[name] for name in OrderResult.model_fields if name in stored}  # an earlier release knew fewer
    return OrderResult.model_validate(known)


def never_sent(blank: OrderResult, why: str) -> OrderResult:
    """The answer where an order certainly does not exist."""
    return blank.model_copy(
        update={
            "status": OrderState.EXPIRED.value,
            "state": OrderState.EXPIRED,
            "message": f"{why}; the gateway never saw it",
            "may_resubmit": True,
            "next_step": NEXT_STEP[OrderState.EXPIRED],
        }
    )


def held(blank: OrderResult, begun: Begun, first: str) -> OrderResult:
    """The answer where another order stands in the way; nothing was sent."""
    message, step = held_back(first, duplicate=begun is Begun.DUPLICATE)
    return blank.model_copy(
        update={
            "status": OrderState.REJECTED.value,
            "state": OrderState.REJECTED,
            "message": message,
            "may_resubmit": False,
            "next_step": step,
        }
    )


def execution_info(record: OrderRecord, fill: Fill, client_order_id: str | None) -> ExecutionInfo:
    """A row of the list of fills."""
    return ExecutionInfo(
        exec_id=fill.exec_id,
        time=fill.time,
        account=record.account,
        symbol=record.symbol,
        local_symbol=record.local_symbol or None,
        sec_type=record.sec_type,
        con_id=record.con_id,
        action=record.action,
        quantity=fill.quantity,
        price=fill.price,
        currency=record.currency,
        commission=fill.commission,
        commission_currency=fill.commission_currency,
        order_id=record.order_id,
        perm_id=record.perm_id,
        client_order_id=client_order_id,
    )


def cancel_result(
    record: OrderRecord, client_order_id: str | None, message: str | None, step: str | None = None
) -> CancelResult:
    """The answer of the cancel tool."""
    told = detail(record, client_order_id)
    return CancelResult(
        order_id=told.order_id,
        perm_id=told.perm_id,
        client_order_id=client_order_id,
        status=told.status,
        state=told.state,
        filled=told.filled,
        remaining=told.remaining,
        message=message or told.message,
        next_step=step or told.next_step,
    )


def no_such_order(handle: str) -> CancelResult:
    """The answer of the cancel tool where nothing is to be cancelled."""
    return CancelResult(
        order_id=None,
        perm_id=None,
        client_order_id=None,
        status="NOT_FOUND",
        state=None,
        filled=None,
        remaining=None,
        message=f"there is no order {handle} today",
        next_step="Call get_orders, which lists them with their names.",
    )


def modify_result(
    record: OrderRecord, client_order_id: str | None, *, changed: bool | None, message: str | None = None
) -> ModifyResult:
    """The answer of the modify tool."""
    told = order_result(record, client_order_id)
    step = {True: told.next_step, False: UNCHANGED, None: "Call get_order: its terms show whether it was changed."}
    over = told.state.final
    said = {
        "changed": changed,
        "message": message or told.message,
        "next_step": told.next_step if over else step[changed],
    }
    return ModifyResult.model_validate(vars(told) | said)
