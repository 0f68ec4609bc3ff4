"""What the gateway says about prices: ticks, the kind of data, the end of a snapshot, option greeks.

TWS API: messages 1, 2, 21, 45, 46, 57, 58 and 81.
"""

from collections.abc import Mapping
from decimal import Decimal

from simulated_gateway.market_data import OptionComputation

from .framing import Message

#: Tick types of live data, and of the same values delayed. TWS API: `TickType`.
LIVE_TICKS: Mapping[str, int] = {
    "bid": 1, "ask": 2, "last": 4, "high": 6, "low": 7, "close": 9, "open": 14,
    "bid_size": 0, "ask_size": 3, "last_size": 5, "volume": 8, "last_timestamp": 45, "model_option": 13,
}  # fmt: skip
DELAYED_TICKS: Mapping[str, int] = {
    "bid": 66, "ask": 67, "last": 68, "high": 72, "low": 73, "close": 75, "open": 76,
    "bid_size": 69, "ask_size": 70, "last_size": 71, "volume": 74, "last_timestamp": 88, "model_option": 83,
}  # fmt: skip
MARK_PRICE_TICK = 37
RT_VOLUME_TICK = 48


def tick_price(req_id: int, tick_type: int, price: Decimal, size: Decimal | None = None) -> Message:
    """Message 1, exactly 7 fields; the size of bid, ask and last rides along."""
    return (1, 6, req_id, tick_type, price, size, 0)


def tick_size(req_id: int, tick_type: int, size: Decimal) -> Message:
    """Message 2."""
    return (2, 6, req_id, tick_type, size)


def tick_generic(req_id: int, tick_type: int, value: Decimal) -> Message:
    """Message 45."""
    return (45, 6, req_id, tick_type, value)


def tick_string(req_id: int, tick_type: int, text: str) -> Message:
    """Message 46."""
    return (46, 6, req_id, tick_type, text)


def tick_snapshot_end(req_id: int) -> Message:
    """Message 57."""
    return (57, 1, req_id)


def market_data_type(req_id: int, kind: int) -> Message:
    """Message 58: 1 live, 2 frozen, 3 delayed, 4 delayed and frozen."""
    return (58, 1, req_id, kind)


def tick_req_params(req_id: int, min_tick: Decimal, bbo_exchange: str, snapshot_permissions: int) -> Message:
    """Message 81, the first answer to a market data request."""
    return (81, req_id, min_tick, bbo_exchange, snapshot_permissions)


def tick_option_computation(req_id: int, tick_type: int, values: OptionComputation | None) -> Message:
    """Message 21, 12 fields. None writes the model's "not computed": -1, or -2 for the greeks."""
    if values is None:
        return (21, req_id, tick_type, 0, -1, -2, -1, -1, -2, -2, -2, -1)
    return (
        *(21, req_id, tick_type, 0, _float(values.implied_vol), _float(values.delta), values.opt_price),
        *(_float(values.pv_dividend), _float(values.gamma), _float(values.vega), _float(values.theta)),
        values.und_price,
    )


def _float(value: float) -> Decimal:
    return Decimal(repr(round(value, 10)))
