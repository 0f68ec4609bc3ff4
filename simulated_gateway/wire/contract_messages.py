"""What the gateway says about contracts: details, symbol search, option chains, price rules.

TWS API: messages 10, 52, 75, 76, 79 and 93.
"""

from collections.abc import Sequence
from decimal import Decimal

from simulated_gateway.instruments import Instrument, SymbolMatch
from simulated_gateway.option_chains import OptionChain

from .framing import Field, Message

#: From here on contractDetails has no version and no size multiplier, and ends with the three size rules.
SIZE_RULES = 164
#: This version alone ends with the suggested size increment only.
FRACTIONAL_SIZES = 163
#: From here on a symbol's description and issuer are sent.
BOND_ISSUER_ID = 176


def contract_details(
    req_id: int, instrument: Instrument, trading_hours: str, liquid_hours: str, under: tuple[str, str], version: int
) -> Message:
    """Message 10. `under` is the underlying's symbol and security type, empty for what has none."""
    fields: list[Field] = [10]
    if version < SIZE_RULES:
        fields.append(8)
    fields += [req_id, instrument.symbol, instrument.sec_type, instrument.expiry, instrument.strike or 0]
    fields += [instrument.right, instrument.exchange, instrument.currency, instrument.local_symbol]
    fields += [instrument.market_name, instrument.trading_class, instrument.con_id, instrument.min_tick]
    if version < SIZE_RULES:
        fields.append(100)
    fields += [instrument.multiplier, ",".join(instrument.order_types), ",".join(instrument.valid_exchanges), 1]
    fields += [instrument.under_con_id, _escaped(instrument.long_name), instrument.primary_exchange]
    fields += [instrument.contract_month, instrument.industry, instrument.category, instrument.subcategory]
    fields += [instrument.time_zone_id, trading_hours, liquid_hours, "", 0]
    fields += [1, "ISIN", instrument.isin] if instrument.isin else [0]
    fields += [1, *under, instrument.market_rule_ids, instrument.expiry, instrument.stock_type]
    if version == FRACTIONAL_SIZES:
        fields.append(instrument.size_increment)
    if version >= SIZE_RULES:
        fields += [instrument.min_size, instrument.size_increment, max(instrument.size_increment, Decimal(1))]
    return fields


def _escaped(text: str) -> str:
    r"""Only ASCII crosses the wire here: other letters as \uXXXX. TWS API: server version 153."""
    return text.encode("ascii", "backslashreplace").decode()


def contract_details_end(req_id: int) -> Message:
    """Message 52."""
    return (52, 1, req_id)


def option_parameters(req_id: int, chain: OptionChain) -> Message:
    """Message 75: one trading class on one exchange."""
    fields: list[Field] = [75, req_id, chain.exchange, chain.underlying_con_id, chain.trading_class, chain.multiplier]
    fields += [len(chain.expirations), *chain.expirations]
    fields += [len(chain.strikes), *chain.strikes]
    return fields


def option_parameters_end(req_id: int) -> Message:
    """Message 76."""
    return (76, req_id)


def symbol_samples(req_id: int, matches: Sequence[SymbolMatch], version: int) -> Message:
    """Message 79."""
    fields: list[Field] = [79, req_id, len(matches)]
    for match in matches:
        fields += [match.con_id, match.symbol, match.sec_type, match.primary_exchange, match.currency]
        fields += [len(match.derivative_sec_types), *match.derivative_sec_types]
        if version >= BOND_ISSUER_ID:
            fields += [match.description, match.issuer_id]
    return fields


def market_rule(rule_id: int, increments: Sequence[tuple[Decimal, Decimal]]) -> Message:
    """Message 93: from which price on which increment applies."""
    fields: list[Field] = [93, rule_id, len(increments)]
    for low_edge, increment in increments:
        fields += [low_edge, increment]
    return fields
