"""What survives a restart of the gateway: ids, orders, executions, accounts, ledger.

One JSON file, replaced as a whole.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulated_gateway.instruments import ContractQuery, Instrument
from simulated_gateway.trading.accounts import Account, Holding
from simulated_gateway.trading.ledger import LedgerEntry
from simulated_gateway.trading.orders import Execution, Order, Status, Ticket
from simulated_gateway.wire.layout import Record

if TYPE_CHECKING:
    from simulated_gateway.brokerage import Brokerage
    from simulated_gateway.catalogue import Catalogue

_log = logging.getLogger(__name__)
_FORMAT = 1

Json = dict[str, Any]


def fingerprint(brokerage: Brokerage) -> object:
    """Differs whenever something that is kept may have changed."""
    orders = brokerage.book.live()
    return (
        len(brokerage.ledger.entries),
        len(brokerage.book.orders),
        len(brokerage.book.executions),
        tuple((order.perm_id, order.status, order.triggered, order.trail_stop, order.key) for order in orders),
        tuple(account.day for account in brokerage.accounts.values()),
        tuple(brokerage.book.identifiers.next_order_ids.items()),
    )


def save(brokerage: Brokerage, path: Path) -> None:
    """Write everything; a reader sees the old file or the new one, never a part."""
    identifiers = brokerage.book.identifiers
    document: Json = {
        "format": _FORMAT,
        "next_perm_id": identifiers.next_perm_id,
        "next_execution": identifiers.next_execution,
        "next_bound_id": identifiers.next_bound_id,
        "next_order_ids": {str(client_id): order_id for client_id, order_id in identifiers.next_order_ids.items()},
        "accounts": [_account_out(account) for account in brokerage.accounts.values()],
        "orders": [_order_out(order) for order in brokerage.book.orders.values()],
        "executions": [_execution_out(execution) for execution in brokerage.book.executions],
        "ledger": [asdict(entry) for entry in brokerage.ledger.entries],
    }
    text = json.dumps(document, default=_plain)
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text)
    temporary.replace(path)


def load(brokerage: Brokerage, path: Path) -> None:
    """Take over what an earlier gateway wrote. What is no longer listed is left out with a log line.

    Raises:
        ValueError: the file is none of ours.
    """
    document: Json = json.loads(path.read_text())
    if document.get("format") != _FORMAT:
        message = f"{path} is no state file of this gateway"
        raise ValueError(message)
    identifiers = brokerage.book.identifiers
    identifiers.next_perm_id = document["next_perm_id"]
    identifiers.next_execution = document["next_execution"]
    identifiers.next_bound_id = document["next_bound_id"]
    identifiers.next_order_ids = {int(key): value for key, value in document["next_order_ids"].items()}
    for raw in document["accounts"]:
        _account_in(brokerage, raw)
    for raw in document["orders"]:
        if (order := _order_in(brokerage.catalogue, raw)) is not None:
            brokerage.book.add(order)
    for raw in document["executions"]:
        if (execution := _execution_in(brokerage, raw)) is not None:
            brokerage.book.executions.append(execution)
    brokerage.ledger.entries.extend(_ledger_in(raw) for raw in document["ledger"])


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    message = f"{type(value).__name__} is not kept"
    raise TypeError(message)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _instrument_out(instrument: Instrument) -> Json:
    return {"con_id": instrument.con_id, "exchange": instrument.exchange}


def _instrument_in(catalogue: Catalogue, raw: Json) -> Instrument | None:
    matches = catalogue.match(ContractQuery(con_id=raw["con_id"], exchange=raw["exchange"]))
    if not matches:
        _log.warning("contract %d is no longer listed: what was known about it is left out", raw["con_id"])
        return None
    return matches[0]


def _account_out(account: Account) -> Json:
    holdings = [
        {
            "instrument": _instrument_out(holding.instrument),
            "quantity": holding.quantity,
            "average_cost": holding.average_cost,
            "realized": holding.realized,
            "opening_quantity": holding.opening_quantity,
            "cash_flow": holding.cash_flow,
        }
        for holding in account.holdings.values()
    ]
    return {"code": account.code, "cash": account.cash, "day": account.day, "holdings": holdings}


def _account_in(brokerage: Brokerage, raw: Json) -> None:
    account = brokerage.accounts.get(raw["code"])
    if account is None:
        return
    account.cash = {currency: Decimal(amount) for currency, amount in raw["cash"].items()}
    account.day = date.fromisoformat(raw["day"])
    account.holdings = {}
    for held in raw["holdings"]:
        instrument = _instrument_in(brokerage.catalogue, held.pop("instrument"))
        if instrument is not None:
            amounts = {name: Decimal(text) for name, text in held.items()}
            account.holdings[instrument.con_id] = Holding(instrument=instrument, **amounts)


def _ticket_out(ticket: Ticket) -> Json:
    fields: Json = {name: getattr(ticket, name) for name in _TICKET_FIELDS}
    return fields | {
        "instrument": _instrument_out(ticket.instrument),
        "received": {"values": ticket.received.values, "items": ticket.received.items},
    }


_TICKET_FIELDS = (
    *("client_id", "order_id", "account", "action", "order_type", "tif", "outside_rth", "order_ref", "transmit"),
    *("parent_id", "oca_group", "what_if", "quantity", "limit_price", "aux_price"),
)


def _order_out(order: Order) -> Json:
    names = (
        *("perm_id", "status", "placed_at", "filled", "filled_value", "last_fill_price", "triggered", "trail_stop"),
        *("why_held", "silent", "ended_at", "completed_status", "fills"),
    )
    fields: Json = {name: getattr(order, name) for name in names}
    return fields | {"ticket": _ticket_out(order.ticket)}


def _order_in(catalogue: Catalogue, raw: Json) -> Order | None:
    ticket: Json = raw.pop("ticket")
    instrument = _instrument_in(catalogue, ticket.pop("instrument"))
    if instrument is None:
        return None
    received: Json = ticket.pop("received")
    numbers = {name: _decimal(ticket.pop(name)) for name in ("quantity", "limit_price", "aux_price")}
    raw |= {name: Decimal(raw[name]) for name in ("filled", "filled_value", "last_fill_price")}
    raw["status"] = Status(raw["status"])
    raw["trail_stop"] = _decimal(raw["trail_stop"])
    raw["placed_at"] = datetime.fromisoformat(raw["placed_at"])
    raw["ended_at"] = None if raw["ended_at"] is None else datetime.fromisoformat(raw["ended_at"])
    record = Record(received["values"], received["items"])
    ticket |= {"instrument": instrument, "received": record, **numbers}
    return Order(ticket=Ticket(**ticket), **raw)


def _execution_out(execution: Execution) -> Json:
    names = ("execution_id", "time", "quantity", "price", "cumulative", "average_price", "exchange", "commission")
    fields: Json = {name: getattr(execution, name) for name in names}
    return fields | {"realized": execution.realized, "perm_id": execution.order.perm_id}


def _execution_in(brokerage: Brokerage, raw: Json) -> Execution | None:
    order = brokerage.book.orders.get(raw.pop("perm_id"))
    if order is None:
        return None
    raw |= {name: Decimal(raw[name]) for name in ("quantity", "price", "cumulative", "average_price", "commission")}
    raw["realized"] = _decimal(raw["realized"])
    raw["time"] = datetime.fromisoformat(raw["time"])
    return Execution(order=order, **raw)


def _ledger_in(raw: Json) -> LedgerEntry:
    raw["time"] = datetime.fromisoformat(raw["time"])
    raw |= {name: _decimal(raw[name]) for name in ("quantity", "limit_price", "stop_price")}
    return LedgerEntry(**raw)
