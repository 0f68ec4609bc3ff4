"""From a received frame to the handler of its kind. No message from a client can end more than its own connection."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from simulated_gateway.wire import errors
from simulated_gateway.wire.layout import Fields, UnreadableMessage, read_record
from simulated_gateway.wire.requests import REQUEST_KINDS, Request, RequestKind

from .handlers import accounts, contracts, general, history, orders, prices
from .message_rate import Verdict
from .session import Session

_log = logging.getLogger(__name__)

#: By the request's name.
HANDLERS = {
    **general.HANDLERS,
    **accounts.HANDLERS,
    **contracts.HANDLERS,
    **prices.HANDLERS,
    **history.HANDLERS,
    **orders.HANDLERS,
}
_ID_NAMES = frozenset({"req_id", "order_id"})
_INTEGER = re.compile(r"-?\d{1,10}")
_UNKNOWN_MESSAGE, _UNREADABLE, _FAILED, _TOO_FAST = 505, 320, 322, 100


def dispatch(session: Session, fields: Sequence[str]) -> None:
    """Handle one message of a client, message id first."""
    kind = REQUEST_KINDS.get(int(fields[0]))
    session.brokerage.counters.receive(session.client_id, kind.name if kind else f"unknown {fields[0]}")
    if not _within_rate(session):
        return
    if kind is None:
        session.error(-1, _UNKNOWN_MESSAGE, f"Fatal Error: Unknown message id {fields[0]}.")
        return
    try:
        request = Request(kind, read_record(kind.layout, fields[1:], session.version))
        HANDLERS[kind.name](session, request)
    except UnreadableMessage as problem:
        _log.warning("%s sent an unreadable %s: %s", session.connection.name, kind.name, problem)
        text = f"Error reading request:-'{kind.name}' : cause - {problem}"
        session.error(_id_of(kind, fields), _UNREADABLE, text)
    except Exception:
        _log.exception("%s of %s failed", kind.name, session.connection.name)
        text = f"Error processing request.-'{kind.name}' : cause - internal error"
        session.error(_id_of(kind, fields), _FAILED, text)


def _within_rate(session: Session) -> bool:
    limits, counters = session.brokerage.config.limits, session.brokerage.counters
    verdict = session.rate.count()
    counters.most_messages_per_second = max(counters.most_messages_per_second, session.rate.present)
    if verdict is Verdict.FINE:
        return True
    counters.violations[_TOO_FAST] += 1
    text = errors.MAX_RATE % (limits.messages_per_second, session.rate.present, session.rate.strikes)
    session.error(-1, _TOO_FAST, text)
    if verdict is Verdict.STRIKE:
        return True
    _log.warning("%s talks too fast: cut off", session.connection.name)
    session.connection.close()
    return False


def _id_of(kind: RequestKind, fields: Sequence[str]) -> int:
    """The request or order id of a message that could not be handled, -1 where it cannot be told."""
    first = kind.layout[0] if kind.layout else None
    names = first.names.split() if isinstance(first, Fields) else []
    for name, text in zip(names, fields[1:], strict=False):
        if name in _ID_NAMES and _INTEGER.fullmatch(text):
            return int(text)
    return -1
