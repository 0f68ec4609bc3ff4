"""An order's answer from its record alone, for when the gateway cannot be asked.

An order that may have been sent must never be answered with an error that reads as if nothing had happened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from broker_worker.orders import answers
from broker_worker.orders.record import rebuilt
from broker_worker.orders.sending import Order
from broker_worker.orders.terms import Intent
from shared.contract.arguments import ContractQuery
from shared.contract.orders import OrderResult, OrderState
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


def names_it(stored: StoredOrder, order: Order) -> bool:
    """Whether the record is of this very order."""
    if "fingerprint" in stored.fields:
        return stored.fields["fingerprint"] == order.fingerprint
    known = _known_terms(stored)
    place = {"account": order.account, "con_id": order.resolved.contract.conId}
    return _agrees(known, place) and _agrees(known, _asked(order.intent))


def same_order(stored: StoredOrder, contract: ContractQuery, intent: Intent) -> bool:
    """Whether the record is of the order asked for, as far as it can be told without asking the gateway."""
    known = _known_terms(stored)
    return (
        _agrees(known, _asked(intent))
        and contract.con_id in {None, known.get("con_id")}
        and intent.terms.account in {None, known.get("account")}
        and (not contract.symbol or contract.symbol == known.get("symbol"))
        and _same_contract(json.loads(stored.fields.get("contract", "{}")), contract)
    )


def _asked(intent: Intent) -> dict[str, Any]:
    return {
        "action": intent.action,
        "order_type": intent.order_type,
        "quantity": intent.quantity,
        "limit_price": intent.limit_price,
        "stop_price": intent.stop_price,
        "tif": intent.terms.tif,
        "outside_rth": intent.terms.outside_rth,
    }


def _agrees(known: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    return all(name not in known or known[name] == value for name, value in asked.items())


def _known_terms(stored: StoredOrder) -> dict[str, Any]:
    """The order as it was asked for; where Redis has lost that, as the gateway shows it: perhaps modified since."""
    if "order" in stored.fields:
        order: dict[str, Any] = json.loads(stored.fields["order"], parse_float=Decimal, parse_int=Decimal)
        return order | {"symbol": stored.fields.get("symbol")}
    view: dict[str, Any] = json.loads(stored.view or "{}", parse_float=Decimal, parse_int=Decimal)
    names = {"account", "symbol", "con_id", "action"}
    if view.get("order_type"):  # else its fills are all that is known of it
        names |= {"order_type", "limit_price", "stop_price"}
        if view["state"] != OrderState.CANCELLED:  # of those the gateway may tell no more than what has filled
            names |= {"quantity"}
    return {name: view[name] for name in names & view.keys()}


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
