"""What a query and a contract are called in an error, and where the one that was meant can be found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared import json_text
from shared.contract.arguments import DATED, ContractQuery

if TYPE_CHECKING:
    from broker_worker.contracts import Listed


def describe(query: ContractQuery) -> str:
    """The query in words."""
    if query.con_id is not None:
        return f"contract with con_id {query.con_id}"
    when = f" {query.expiry}" if query.expiry else ""
    strike = f" {json_text.decimal_text(query.strike)}" if query.strike else ""
    where = f" on {query.primary_exchange}" if query.primary_exchange else ""
    at = f" at {query.exchange}" if query.exchange != "SMART" else ""
    return f"{query.sec_type} {query.symbol}{when}{strike}{query.right or ''} in {query.currency}{where}{at}"


def name(listed: Listed) -> str:
    """A contract in words, with the con_id that names it."""
    when = f" {listed.expiry}" if listed.expiry else ""
    strike = f" {json_text.decimal_text(listed.strike)}{listed.right}" if listed.strike else ""
    where = listed.primary_exchange or listed.exchange
    return f"{listed.symbol} {listed.sec_type}{when}{strike} {where} {listed.currency} (con_id {listed.con_id})"


def candidates(found: list[Listed], most: int = 5) -> str:
    """The first few that fit, each with the con_id that names it."""
    names = list(dict.fromkeys(name(listed) for listed in found))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more


def contradiction(query: ContractQuery, found: list[Listed]) -> str:
    """That what was said beside a symbol or con_id does not fit it."""
    return f"what was given with it does not fit {describe(query)}, which is {candidates(found, 1)}"


def where_to_look(query: ContractQuery) -> str | None:
    """What finds the contract that was meant; None where searching does."""
    if query.sec_type == "OPT":
        return "call get_option_chain for the expirations and strikes there are"
    if query.sec_type in DATED:
        return f"call get_contract_details with the symbol and sec_type {query.sec_type}, which lists every expiry"
    if query.sec_type == "STK" and re.fullmatch(r"[A-Z]{3}[./][A-Z]{3}", query.symbol):
        return "use sec_type CASH for a pair of currencies"
    return None


def how_to_tell_apart(query: ContractQuery) -> str:
    """What to say more where several fit."""
    more = "expiry, or strike and right," if query.sec_type in DATED else "primary_exchange and currency"
    return f"repeat the call with the con_id, or with {more} of the one you mean"
