"""The gateway's error codes, and what each means here. Source: TWS API, Message Codes; and observation.

A code that is in none of these tables is reported with its text and concludes nothing about an order.
"""

from __future__ import annotations

from shared.errors import (
    BridgeError,
    CompetingSession,
    GatewayRefused,
    GatewayUnavailable,
    InvalidArgument,
    NotPermitted,
    NotSubscribed,
    Pacing,
    UnknownContract,
)

LINK_LOST = 1100
LINK_RESTORED_DATA_LOST = 1101
LINK_RESTORED = 1102
PORT_RESET = 1300
CLIENT_ID_TAKEN = 326
READ_ONLY_OR_INVALID = 321
DELAYED_FOLLOWS = 10167
COMPETING = 10197
PART_MISSING = 10090
LINES_FULL = 101
FARM_LOST = 2103
FARM_BACK = 2104
"""A market data server was disconnected, and is connected again."""

INFORMATION = frozenset({*range(2100, 2200), 399, 404, 2109, 10167, 10349, 10311, 10090} - {2110, 2113})
"""Remarks: the request or order they name goes on."""

REFUSES_NEW_ORDER = frozenset(
    {
        103, 104, 105, 106, 107, 109, 110, 111, 113, 116, 117, 118, 119, 120, 125, 126, 129, 131, 132, 133, 134, 135,
        144, 146, 147, 148, 151, 152, 153, 154, 156, 160, 163, 164, 168, 200, 201, 203, 321, 328, 329, 355, 361,
        378, 382, 383, 384, 387, 388, 390, 391, 394, 395, 397, 400, 402, 403, 405, 411, 412, 413, 414, 415, 416, 417,
        422, 423, 424, 425, 430, 434, 435, 436, 437, 438, 439, 440, 441, 442, 443, 444, 445, 446, 447, 448, 449, 450,
        451, 460, 461, 463, 481, 492, 10003, 10005, 10006, 10013, 10020, 10043, 10052, 10243, 10268, 10289,
        10314, 10318, 10320, 10326, 10329, 10335,
    }
)  # fmt: skip
"""Codes that, for an order not yet acknowledged, mean the gateway did not take it."""

REJECTED = 201
CANCELLED = 202
CANCEL_UNKNOWN = 10147
CANCEL_TOO_LATE = 10148

NOT_SUBSCRIBED = frozenset({354, 10089, 10168, 10186, 10090})

_HISTORY = frozenset({162, 420})
"""Questions about history, and about bars as they form: the text alone says what is wrong."""

_BY_CODE: dict[int, type[BridgeError]] = {
    200: UnknownContract,
    100: Pacing,
    101: Pacing,
    354: NotSubscribed,
    10089: NotSubscribed,
    10168: NotSubscribed,
    10186: NotSubscribed,
    10197: CompetingSession,
    320: InvalidArgument,
    502: GatewayUnavailable,
    504: GatewayUnavailable,
    LINK_LOST: GatewayUnavailable,
    2110: GatewayUnavailable,
}


class RequestRefused(Exception):
    """The gateway answered a request with an error; ``as_bridge_error`` says what that means to a caller."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


def as_bridge_error(refused: RequestRefused) -> BridgeError:
    """The error a caller sees, with the gateway's own words as the fact."""
    text = refused.text
    words = text.lower()
    if refused.code in _HISTORY:
        if "pacing" in words:
            return Pacing(text)
        if "permission" in words or "subscri" in words:
            return NotSubscribed(text)
        if "different ip" in words or "competing" in words:
            return CompetingSession(text)
        return GatewayRefused(text)
    if refused.code == READ_ONLY_OR_INVALID:
        return NotPermitted(text) if "read-only" in words else InvalidArgument(text)
    cls = _BY_CODE.get(refused.code, GatewayRefused)
    return cls(text if cls is not GatewayRefused else f"{text} (gateway code {refused.code})")
