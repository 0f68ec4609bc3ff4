"""What the gateway says about the past: bars, their updates, the first date there is, trading schedules.

TWS API: messages 17, 88, 90 and 106.
"""

from collections.abc import Sequence

from simulated_gateway.market_data import Bar

from .framing import Field, Message


def historical_data(req_id: int, start: str, end: str, bars: Sequence[tuple[str, Bar]]) -> Message:
    """Message 17: each bar with its time as text."""
    fields: list[Field] = [17, req_id, start, end, len(bars)]
    for time_text, bar in bars:
        fields += [time_text, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.wap, bar.count]
    return fields


def historical_data_update(req_id: int, time_text: str, bar: Bar) -> Message:
    """Message 90: unlike message 17 the count comes first and the close before high and low."""
    return (
        *(90, req_id, bar.count, time_text, bar.open, bar.close, bar.high, bar.low),
        *(bar.wap, bar.volume),
    )


def head_timestamp(req_id: int, time_text: str) -> Message:
    """Message 88."""
    return (88, req_id, time_text)


def historical_schedule(
    req_id: int, start: str, end: str, time_zone: str, sessions: Sequence[tuple[str, str, str]]
) -> Message:
    """Message 106, from version 165: start, end and reference date of every session."""
    fields: list[Field] = [106, req_id, start, end, time_zone, len(sessions)]
    for session in sessions:
        fields += session
    return fields
