"""What the gateway says about accounts, positions and profit and loss.

TWS API: messages 6, 7, 8, 54, 61 to 64, 71 to 74, 94 and 95.
"""

from decimal import Decimal

from simulated_gateway.instruments import Instrument

from .framing import UNSET_DOUBLE, Field, Message


def _right(instrument: Instrument, nothing: str) -> str:
    return instrument.right or nothing


def _amount(value: Decimal | None) -> Field:
    return UNSET_DOUBLE if value is None else value


def account_value(tag: str, value: str, currency: str, account: str) -> Message:
    """Message 6."""
    return (6, 2, tag, value, currency, account)


def portfolio_value(
    instrument: Instrument,
    account: str,
    *,
    quantity: Decimal,
    price: Decimal,
    value: Decimal,
    average_cost: Decimal,
    unrealized: Decimal,
    realized: Decimal,
) -> Message:
    """Message 7, 20 fields. Money in the instrument's currency; average cost for one contract, multiplier included."""
    return (
        *(7, 8, instrument.con_id, instrument.symbol, instrument.sec_type, instrument.expiry),
        *(instrument.strike or 0, _right(instrument, "0"), instrument.multiplier, instrument.primary_exchange),
        *(instrument.currency, instrument.local_symbol, instrument.trading_class),
        *(quantity, price, value, average_cost, unrealized, realized, account),
    )


def account_time(text: str) -> Message:
    """Message 8, HH:MM."""
    return (8, 1, text)


def account_download_end(account: str) -> Message:
    """Message 54."""
    return (54, 1, account)


def _position_contract(instrument: Instrument) -> Message:
    return (
        *(instrument.con_id, instrument.symbol, instrument.sec_type, instrument.expiry, instrument.strike or 0),
        *(_right(instrument, ""), instrument.multiplier, instrument.primary_exchange, instrument.currency),
        *(instrument.local_symbol, instrument.trading_class),
    )


def position(account: str, instrument: Instrument, quantity: Decimal, average_cost: Decimal) -> Message:
    """Message 61, 16 fields."""
    return (61, 3, account, *_position_contract(instrument), quantity, average_cost)


def position_end() -> Message:
    """Message 62."""
    return (62, 1)


def account_summary(req_id: int, account: str, tag: str, value: str, currency: str) -> Message:
    """Message 63; the currency is empty where the value has none."""
    return (63, 1, req_id, account, tag, value, currency)


def account_summary_end(req_id: int) -> Message:
    """Message 64."""
    return (64, 1, req_id)


def position_multi(
    req_id: int, account: str, instrument: Instrument, quantity: Decimal, average_cost: Decimal, model_code: str
) -> Message:
    """Message 71, 18 fields."""
    return (71, 1, req_id, account, *_position_contract(instrument), quantity, average_cost, model_code)


def position_multi_end(req_id: int) -> Message:
    """Message 72."""
    return (72, 1, req_id)


def account_update_multi(req_id: int, account: str, model_code: str, tag: str, value: str, currency: str) -> Message:
    """Message 73."""
    return (73, 1, req_id, account, model_code, tag, value, currency)


def account_update_multi_end(req_id: int) -> Message:
    """Message 74."""
    return (74, 1, req_id)


def pnl(req_id: int, daily: Decimal, unrealized: Decimal, realized: Decimal) -> Message:
    """Message 94, in the account's base currency."""
    return (94, req_id, daily, unrealized, realized)


def pnl_single(
    req_id: int,
    quantity: Decimal,
    daily: Decimal | None,
    unrealized: Decimal | None,
    realized: Decimal | None,
    value: Decimal | None,
) -> Message:
    """Message 95. An absent amount is written as the unset double, as the real gateway does."""
    return (95, req_id, quantity, _amount(daily), _amount(unrealized), _amount(realized), _amount(value))
