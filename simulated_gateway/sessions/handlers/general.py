"""Requests about the session itself, and those for services that this gateway has no subscription to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulated_gateway.sessions.session import Session
from simulated_gateway.wire import session_messages
from simulated_gateway.wire.requests import Request

Handler = Callable[[Session, Request], None]

#: Requests that get one error, by name: its code and text. TWS API: the message codes page.
UNAVAILABLE: Mapping[str, tuple[int, str]] = {
    "reqMktDepth": (354, "Requested market data is not subscribed."),
    "cancelMktDepth": (310, "Can't find the subscribed market depth with tickerId"),
    "requestFA": (321, "Error validating request.-'cE' : cause - FA data operations ignored for non FA customers."),
    "replaceFA": (321, "Error validating request.-'cE' : cause - FA data operations ignored for non FA customers."),
    "exerciseOptions": (201, "Order rejected - reason:Exercise is not available in this account."),
    "reqScannerSubscription": (162, "Historical Market Data Service error message:No market data permissions."),
    "reqScannerParameters": (162, "Historical Market Data Service error message:No scanner permissions."),
    "cancelScannerSubscription": (162, "Historical Market Data Service error message:No scanner subscription found."),
    "reqRealTimeBars": (420, "Invalid Real-time Query:No market data permissions."),
    "reqFundamentalData": (10358, "Fundamentals data is not allowed."),
    "calculateImpliedVolatility": (10234, "Implied volatility calculation is not available."),
    "calculateOptionPrice": (10234, "Option price calculation is not available."),
    "reqNewsArticle": (10172, "Failed to request news article:No subscription."),
    "reqHistoricalNews": (10276, "News feed is not allowed."),
    "reqHistogramData": (10188, "Failed to request histogram data:No market data permissions."),
    "reqHistoricalTicks": (10187, "Failed to request historical ticks:No market data permissions."),
    "reqTickByTickData": (10189, "Failed to request tick-by-tick data:No market data permissions."),
    "reqWshMetaData": (10276, "News feed is not allowed."),
    "reqWshEventData": (10276, "News feed is not allowed."),
}
#: Requests that the real gateway takes without an answer.
SILENT = frozenset(
    {
        "reqNewsBulletins",
        "cancelNewsBulletins",
        "setServerLogLevel",
        "cancelRealTimeBars",
        "cancelFundamentalData",
        "cancelCalculateImpliedVolatility",
        "cancelCalculateOptionPrice",
        "verifyRequest",
        "verifyMessage",
        "verifyAndAuthRequest",
        "verifyAndAuthMessage",
        "subscribeToGroupEvents",
        "updateDisplayGroup",
        "unsubscribeFromGroupEvents",
        "cancelHistogramData",
        "cancelTickByTickData",
        "cancelWshMetaData",
        "cancelWshEventData",
        "startApi",
    }
)


def unavailable(session: Session, request: Request) -> None:
    """Answer with the error of a service that is not subscribed."""
    code, text = UNAVAILABLE[request.kind.name]
    session.error(request.req_id, code, text)


def silent(session: Session, request: Request) -> None:
    """Take note, answer nothing."""


def current_time(session: Session, _request: Request) -> None:
    """Whole seconds since 1970."""
    now = session.brokerage.clock.now()
    session.send_message(session_messages.current_time(int(now.timestamp())))


def managed_accounts(session: Session, _request: Request) -> None:
    """The accounts once more."""
    session.send_message(session_messages.managed_accounts(session.brokerage.config.accounts))


def family_codes(session: Session, _request: Request) -> None:
    """No families."""
    session.send_message(session_messages.family_codes(session.brokerage.config.accounts))


HANDLERS: Mapping[str, Handler] = {
    "reqCurrentTime": current_time,
    "reqManagedAccts": managed_accounts,
    "reqFamilyCodes": family_codes,
    "queryDisplayGroups": lambda session, request: session.send_message(
        session_messages.display_groups(request.req_id, "")
    ),
    "reqSoftDollarTiers": lambda session, request: session.send_message(
        session_messages.soft_dollar_tiers(request.req_id)
    ),
    "reqMktDepthExchanges": lambda session, _: session.send_message(session_messages.no_depth_exchanges()),
    "reqSmartComponents": lambda session, request: session.send_message(
        session_messages.no_smart_components(request.req_id)
    ),
    "reqNewsProviders": lambda session, _: session.send_message(session_messages.no_news_providers()),
    "reqUserInfo": lambda session, request: session.send_message(session_messages.user_info(request.req_id)),
    **dict.fromkeys(UNAVAILABLE, unavailable),
    **dict.fromkeys(SILENT, silent),
}
