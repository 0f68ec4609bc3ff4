"""An order's answer from its record alone, for when the gateway cannot be asked.

An order that may have been sent must never be answered with an error that reads as if nothing had happened.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from broker_worker.orders import answers
from broker_worker.orders.reconciling import rebuilt
from broker_worker.orders.terms import Intent
from shared.contract.arguments import ContractQuery
from shared.contract.orders import OrderResult
from shared.order_records import Stage, StoredOrder

_MEANWHILE = "as last heard; the gateway cannot be asked now"


def remembered(stored: StoredOrder) -> OrderResult | None:
    """What is known of an order that was begun; None for one that certainly was not."""
    if stored.stage in {Stage.QUEUED, Stage.HELD} or (stored.stage is Stage.UNSENT and "order" not in stored.fields):
        return None
    if stored.stage is Stage.UNSENT:
        return answers.never_sent(answers.order_result(rebuilt(stored), stored.client_order_id), "it was taken back")
    if stored.view is None:
        record = rebuilt(stored)
        record.lost = True
        return answers.order_result(record, stored.client_order_id)
    result = answers.result_from_view(stored.view)
    return result if result.state.final else result.model_copy(update={"message": result.message or _MEANWHILE})


def same_order(stored: StoredOrder, contract: ContractQuery, intent: Intent) -> bool:
    """Whether the record is of the order asked for, as far as it can be told without asking the gateway."""
    order: dict[str, Any] = json.loads(stored.fields.get("order", "{}"), parse_float=Decimal, parse_int=Decimal)
    asked = {
        "action": intent.action,
        "order_type": intent.order_type,
        "quantity": intent.quantity,
        "limit_price": intent.limit_price,
        "stop_price": intent.stop_price,
        "tif": intent.terms.tif,
        "outside_rth": intent.terms.outside_rth,
    }
    return (
        all(order.get(name) == value for name, value in asked.items())
        and contract.con_id in {None, order.get("con_id")}
        and intent.terms.account in {None, order.get("account")}
        and (not contract.symbol or contract.symbol == stored.fields.get("symbol"))
        and _same_contract(json.loads(stored.fields.get("contract", "{}")), contract)
    )


def _same_contract(kept: dict[str, str], asked: ContractQuery) -> bool:
    """Whether nothing that was asked contradicts what was kept; its con_id alone names a contract."""
    if not kept or asked.con_id is not None:
        return True
    return (
        asked.sec_type == kept["sec_type"]
        and asked.currency == kept["currency"]
        and kept["expiry"].startswith(asked.expiry or "")
        and asked.strike in {None, Decimal(kept["strike"])}
        and asked.right in {None, kept["right"]}
    )
