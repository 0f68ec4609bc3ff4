"""Requests about contracts."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from simulated_gateway.exchange_hours import liquid_hours, trading_hours
from simulated_gateway.instruments import Instrument
from simulated_gateway.sessions.session import Session
from simulated_gateway.trading.market_rules import increments
from simulated_gateway.trading.order_intake import contract_query
from simulated_gateway.wire import contract_messages, errors
from simulated_gateway.wire.framing import Message
from simulated_gateway.wire.requests import Request

from .general import Handler


def contract_details(session: Session, request: Request) -> None:
    """Every contract that fits, or error 200."""
    matches = session.brokerage.catalogue.match(contract_query(request.record))
    if not matches:
        session.error(request.req_id, 200, errors.NO_DEFINITION)
        return
    for instrument in matches:
        session.send_message(_details(session, request.req_id, instrument))
    session.send_message(contract_messages.contract_details_end(request.req_id))


def _details(session: Session, req_id: int, instrument: Instrument) -> Message:
    today = session.brokerage.clock.now().astimezone(ZoneInfo(instrument.time_zone)).date()
    under = session.brokerage.catalogue.by_con_id(instrument.under_con_id) if instrument.under_con_id else None
    return contract_messages.contract_details(
        req_id,
        instrument,
        trading_hours(instrument, today),
        liquid_hours(instrument, today),
        (under.symbol, under.sec_type) if under else ("", ""),
        session.version,
    )


def option_parameters(session: Session, request: Request) -> None:
    """Every trading class on every exchange."""
    under_con_id = request.record.integer("under_con_id")
    under = session.brokerage.catalogue.by_con_id(under_con_id)
    record = request.record
    if under is None or under.symbol != record.text("symbol") or under.sec_type != record.text("sec_type"):
        session.error(request.req_id, 321, errors.validation("cA", "Invalid contract id"))
        return
    wanted = record.text("fut_fop_exchange")
    for chain in session.brokerage.catalogue.option_chains(under_con_id):
        if wanted in {"", chain.exchange}:
            session.send_message(contract_messages.option_parameters(request.req_id, chain))
    session.send_message(contract_messages.option_parameters_end(request.req_id))


def matching_symbols(session: Session, request: Request) -> None:
    """Contracts whose symbol or name begins with a pattern."""
    matches = session.brokerage.catalogue.search(request.record.text("pattern"))
    session.send_message(contract_messages.symbol_samples(request.req_id, matches, session.version))


def market_rule(session: Session, request: Request) -> None:
    """The price increments of a rule."""
    rule_id = request.record.integer("rule_id")
    rule = increments(rule_id)
    if rule is None:
        session.error(request.req_id, 321, errors.validation("cl", f"Market rule {rule_id} is unknown"))
        return
    session.send_message(contract_messages.market_rule(rule_id, rule))


HANDLERS: Mapping[str, Handler] = {
    "reqContractDetails": contract_details,
    "reqSecDefOptParams": option_parameters,
    "reqMatchingSymbols": matching_symbols,
    "reqMarketRule": market_rule,
}
