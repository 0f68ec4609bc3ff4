"""What the gateway says about the session itself: errors, ids, accounts, time.

TWS API: messages 4, 8, 9, 15, 49, 58, 67, 77, 78, 79, 80, 82, 85 and 107.
"""

from collections.abc import Sequence

from .framing import Message

#: The first version whose error message has a sixth field, advancedOrderRejectJson.
ADVANCED_ORDER_REJECT = 166
#: An error that belongs to no request.
NO_REQUEST = -1


def server_hello(version: int, time_text: str) -> Message:
    """The only frame without a message id: the end of the handshake."""
    return (version, time_text)


def error(req_id: int, code: int, text: str, version: int, *, reject_json: str = "") -> Message:
    """Message 4. Also carries warnings, farm notices and the state of the link."""
    fields: list[str | int] = [4, 2, req_id, code, text]
    if version >= ADVANCED_ORDER_REJECT:
        fields.append(reject_json)
    return fields


def next_valid_id(order_id: int) -> Message:
    """Message 9: the lowest order id this client may use next."""
    return (9, 1, order_id)


def managed_accounts(accounts: Sequence[str]) -> Message:
    """Message 15."""
    return (15, 1, ",".join(accounts))


def current_time(epoch_seconds: int) -> Message:
    """Message 49."""
    return (49, 1, epoch_seconds)


def display_groups(req_id: int, groups: str) -> Message:
    """Message 67."""
    return (67, 1, req_id, groups)


def soft_dollar_tiers(req_id: int) -> Message:
    """Message 77: there are none."""
    return (77, req_id, 0)


def family_codes(accounts: Sequence[str]) -> Message:
    """Message 78: no account belongs to a family."""
    fields: list[str | int] = [78, len(accounts)]
    for account in accounts:
        fields += [account, ""]
    return fields


def no_depth_exchanges() -> Message:
    """Message 80: no exchange offers depth here."""
    return (80, 0)


def no_smart_components(req_id: int) -> Message:
    """Message 82."""
    return (82, req_id, 0)


def no_news_providers() -> Message:
    """Message 85: no news subscription."""
    return (85, 0)


def user_info(req_id: int) -> Message:
    """Message 107: no white branding."""
    return (107, req_id, "")
