"""What an agent is told about an order: where it stands, whether it may be sent again, what to do next."""

from __future__ import annotations

from broker_worker.orders.record import OrderRecord
from shared.contract.orders import CancelResult, OrderInfo, OrderResult, OrderState

NEXT_STEP = {
    OrderState.PENDING: "It was sent and is not acknowledged yet. Do not place it again: repeat this call with the "
    "same client_order_id, or call get_orders.",
    OrderState.WORKING: "Watch it with get_orders; cancel_order cancels it.",
    OrderState.PARTIALLY_FILLED: "Watch it with get_orders; cancel_order cancels the rest.",
    OrderState.FILLED: "Nothing; get_positions shows the holding.",
    OrderState.CANCELLED: "Nothing; place a new order if it is still wanted.",
    OrderState.REJECTED: "Read the message, correct the order, and place it under a new client_order_id.",
    OrderState.EXPIRED: "It was never sent. Place it again if it is still wanted.",
    OrderState.UNKNOWN: "Do not place it again: it may be working. Call get_orders, or have somebody look in TWS.",
}

_WAITING = {
    OrderState.PENDING: "sent; the gateway has not acknowledged it yet",
    OrderState.UNKNOWN: "it was being sent when the connection was lost; whether the gateway has it is not known",
}


def shown_status(record: OrderRecord) -> str:
    """The gateway's own word, or ours where it has none."""
    state = record.state
    if state is OrderState.REJECTED and record.status != "Inactive" and not record.status.startswith("Cancel"):
        return "REJECTED"
    return "UNKNOWN" if state is OrderState.UNKNOWN else record.status


def order_result(record: OrderRecord, client_order_id: str | None, note: str | None = None) -> OrderResult:
    """The answer of a place tool."""
    state = record.state
    known = state not in {OrderState.PENDING, OrderState.UNKNOWN} or bool(record.filled)
    return OrderResult(
        order_id=record.order_id,
        perm_id=record.perm_id,
        client_order_id=client_order_id,
        status=shown_status(record),
        state=state,
        account=record.account,
        symbol=record.symbol,
        con_id=record.con_id,
        currency=record.currency,
        action=record.action,
        quantity=record.quantity,
        limit_price=record.limit_price,
        stop_price=record.stop_price,
        filled=record.filled if known else None,
        avg_fill_price=record.average,
        message=record.refusal or _WAITING.get(state),
        warnings=[*([note] if note else []), *record.warnings],
        may_resubmit=may_resubmit(record),
        next_step=NEXT_STEP[state],
    )


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


def cancel_result(record: OrderRecord, client_order_id: str | None, message: str | None) -> CancelResult:
    """The answer of the cancel tool."""
    return CancelResult(
        order_id=record.order_id,
        perm_id=record.perm_id,
        client_order_id=client_order_id,
        status=shown_status(record),
        message=message or record.refusal,
    )
