"""The error and warning texts of the gateway, by code.

TWS API: the message codes page. Texts are close to the real ones where a client reads them.
"""

from collections.abc import Mapping

#: Sent to everyone after the handshake, as errors of no request.
FARM_NOTICES: Mapping[int, str] = {
    2104: "Market data farm connection is OK:usfarm",
    2107: "HMDS data farm connection is inactive but should be available upon demand.ushmds",
    2106: "HMDS data farm connection is OK:ushmds",
    2158: "Sec-def data farm connection is OK:secdefil",
}
LINK_NOTICES: Mapping[int, str] = {
    1100: "Connectivity between IBKR and Trader Workstation has been lost.",
    1101: "Connectivity between IBKR and Trader Workstation has been restored - data lost.",
    1102: "Connectivity between IBKR and Trader Workstation has been restored - data maintained. "
    "All data farms are connected: usfarm; ushmds; secdefil.",
    1300: "TWS socket port has been reset and this connection is being dropped.",
    2103: "Market data farm connection is broken:usfarm",
    2105: "HMDS data farm connection is broken:ushmds",
    2110: "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
}
CLIENT_ID_IN_USE = "Unable to connect as the client id is already in use. Retry with a unique client id."
MAX_RATE = "Max rate of messages per second has been exceeded:max=%d rec=%d (%d)"
MAX_TICKERS = "Max number of tickers has been reached"
NO_DEFINITION = "No security definition has been found for the request"
DUPLICATE_ORDER_ID = "Duplicate order id"
CANNOT_MODIFY_FILLED = "Cannot modify a filled order."
MODIFY_MISMATCH = "Order being modified does not match original order."
BAD_TICK = "The price does not conform to the minimum price variation for this contract."
ORDER_CANCELED = "Order Canceled - reason:"
NO_ACCOUNT = "You must specify an account."
SIZE_ZERO = "The order size cannot be zero."
FRACTION = "Fractional-sized order cannot be placed via API. Please place it in Trader Workstation."
TIF_PRESET = "Order TIF was set to DAY based on order preset."
UNSUPPORTED_ORDER_TYPE = "Unsupported order type for this exchange and security type."
READ_ONLY = "The API interface is currently in Read-Only mode."
COMPETING_SESSION = "No market data during competing live session"
DELAYED_FOLLOWS = "Requested market data is not subscribed. Displaying delayed market data."
NOT_SUBSCRIBED = "Requested market data is not subscribed."
NEEDS_SUBSCRIPTION = (
    "Requested market data requires additional subscription for API. See link in 'Market Data Connections' dialog "
    "for more details.Delayed market data is available."
)
HISTORY_PREFIX = "Historical Market Data Service error message:"
TIME_FORMAT = (
    "End Date/Time: The date, time, or time-zone entered is invalid. The correct format is "
    "yyyymmdd hh:mm:ss xx/xxxx where yyyymmdd and xx/xxxx are optional, or yyyymmdd-hh:mm:ss in UTC."
)


def validation(request_kind: str, cause: str) -> str:
    """The text of error 321; `request_kind` is the gateway's own two-letter name for it."""
    return f"Error validating request.-'{request_kind}' : cause - {cause}"


def rejected(reason: str) -> str:
    """The text of error 201; reasons hold `<br>` where the gateway breaks lines."""
    return f"Order rejected - reason:{reason}"
