"""From a placeOrder message to a ticket: which contract and which account it means."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from simulated_gateway.catalogue import Catalogue
from simulated_gateway.instruments import ContractQuery, Instrument
from simulated_gateway.wire import errors
from simulated_gateway.wire.layout import Record, UnreadableMessage

from .accounts import ZERO
from .orders import Refusal, Ticket

#: The gateway's own two-letter name for order placement in error 321.
PLACE_ORDER = "bW"
#: Rights that clients send where a contract has none.
_NO_RIGHT = frozenset({"", "0", "?"})


def contract_query(record: Record) -> ContractQuery:
    """The contract fields of a request.

    Raises:
        UnreadableMessage: a numeric field is no number.
    """
    strike = record.decimal("strike")
    right = record.text("right").upper()
    return ContractQuery(
        con_id=record.integer("con_id"),
        symbol=record.text("symbol"),
        sec_type=record.text("sec_type"),
        exchange=record.text("exchange"),
        primary_exchange=record.text("primary_exchange"),
        currency=record.text("currency"),
        expiry=record.text("expiry"),
        strike=strike or None,
        right="" if right in _NO_RIGHT else right,
        multiplier=record.text("multiplier"),
        local_symbol=record.text("local_symbol"),
        trading_class=record.text("trading_class"),
    )


def resolve(catalogue: Catalogue, query: ContractQuery) -> Instrument | Refusal:
    """The one contract that a request means, or why there is none."""
    matches = catalogue.match(query)
    if not matches:
        return Refusal(code=200, text=errors.NO_DEFINITION)
    if len({match.con_id for match in matches}) > 1:
        what = query.symbol or query.local_symbol
        return Refusal(code=200, text=f"The contract description specified for {what} is ambiguous.")
    return matches[0]


def read_ticket(record: Record, client_id: int, catalogue: Catalogue, accounts: Collection[str]) -> Ticket | Refusal:
    """What the client asks for.

    Raises:
        UnreadableMessage: a numeric field is no number.
    """
    account = _account(record, accounts)
    if isinstance(account, Refusal):
        return account
    if not record.text("exchange"):
        return Refusal(code=321, text=errors.validation(PLACE_ORDER, "Missing order exchange"))
    instrument = resolve(catalogue, contract_query(record))
    if isinstance(instrument, Refusal):
        return instrument
    return Ticket(
        client_id=client_id,
        order_id=record.integer("order_id"),
        instrument=instrument,
        account=account,
        action=record.text("action").upper(),
        quantity=record.decimal("total_quantity") or ZERO,
        order_type=record.text("order_type").upper().replace("STPLMT", "STP LMT"),
        limit_price=record.decimal("limit_price"),
        aux_price=record.decimal("aux_price"),
        tif=record.text("tif").upper(),
        outside_rth=record.flag("outside_rth"),
        order_ref=record.text("order_ref"),
        transmit=record.flag("transmit"),
        parent_id=record.integer("parent_id"),
        oca_group=record.text("oca_group"),
        what_if=record.flag("what_if"),
        received=record,
    )


def _account(record: Record, accounts: Collection[str]) -> str | Refusal:
    account = record.text("account")
    if not account:
        if len(accounts) > 1:
            return Refusal(code=435, text=errors.NO_ACCOUNT)
        return next(iter(accounts))
    if account not in accounts:
        return Refusal(code=321, text=errors.validation(PLACE_ORDER, f"Invalid account code '{account}'"))
    return account


def readable_decimal(record: Record, name: str) -> Decimal | None:
    """A number for the ledger, which takes down unreadable orders too."""
    try:
        return record.decimal(name)
    except UnreadableMessage:
        return None
