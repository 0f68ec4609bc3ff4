"""Every error a caller can meet, in one tree.

BridgeError
├── InvalidArgument        the call itself is wrong; the same call will never succeed
│   ├── UnknownContract        the gateway knows no such contract
│   ├── AmbiguousContract      several contracts fit; the fact names them
│   └── KeyReused              a client_order_id came back with a different order
├── NotPermitted           the call is right and this caller or this process may not make it
│   ├── UnsignedJob            the job was not signed by a frontend that shares the secret
│   └── WrongAccount           mode and account disagree, or the account is not one of ours
├── Unavailable            nothing was done; the same call may succeed later
│   ├── WorkerDown             no worker has shown a heartbeat
│   ├── QueueDown              Redis cannot be reached
│   ├── GatewayUnavailable     the gateway link is in a state that cannot serve
│   ├── Busy                   the queue is past its depth; nothing was enqueued
│   └── RateLimited            the caller has used up the calls its key allows; nothing was done
├── TimedOut               a read was not answered in time; asking again is safe
├── UnreadableAnswer       a read was answered, and part of the answer could not be read
├── GatewayRefused         the gateway answered with an error; its reason is the fact
│   ├── NotSubscribed          market data needs a subscription the account lacks
│   ├── CompetingSession       another session of the same user holds the market data
│   └── Pacing                 the gateway's own limits were reached
├── OrderUnresolved        an order's fate is not known here; it is neither failed nor confirmed
├── UnreadableJob          the job's envelope is damaged, unknown, or from a newer release
└── Internal               a defect of ours; details are in the log, never in the answer

A class says what the error means (its docstring), what to do (``action``) and whether the same call may be
made again (``retry``). What happened this time is the ``fact``. Together they make the one line a caller sees:
``CODE: fact. Do: action. Retry: retry.``
"""

from __future__ import annotations

from typing import Any, ClassVar

MAX_TEXT = 499
"""Characters of the rendered line, under 500; a longer fact is cut, never the advice."""


class BridgeError(Exception):
    """Anything that went wrong in a way a caller should read about."""

    code: ClassVar[str] = "ERROR"
    action: str = "read the fact"
    retry: str = "never"

    def __init__(self, fact: str, *, action: str | None = None, retry: str | None = None) -> None:
        super().__init__(fact)
        self.fact = fact
        if action is not None:
            self.action = action
        if retry is not None:
            self.retry = retry

    def __str__(self) -> str:
        tail = f". Do: {self.action}. Retry: {self.retry}."
        room = MAX_TEXT - len(self.code) - 2 - len(tail)
        fact = " ".join(self.fact.split()).rstrip(".")
        if len(fact) > room:
            fact = fact[: max(room - 1, 0)] + "…"
        return f"{self.code}: {fact}{tail}"

    def to_wire(self) -> dict[str, str]:
        """The error as it travels in a job's answer."""
        return {"code": self.code, "fact": self.fact, "action": self.action, "retry": self.retry}


class InvalidArgument(BridgeError):
    """An argument is missing, malformed or out of range."""

    code = "INVALID_ARGUMENT"
    action = "correct the argument"


class UnknownContract(InvalidArgument):
    """The gateway knows no contract that fits."""

    code = "UNKNOWN_CONTRACT"
    action = "call search_contracts and use the con_id it gives"


class AmbiguousContract(InvalidArgument):
    """More than one contract fits."""

    code = "AMBIGUOUS_CONTRACT"
    action = "repeat the call with the con_id of the one you mean"


class KeyReused(InvalidArgument):
    """A client_order_id already names a different order."""

    code = "KEY_REUSED"
    action = "use a new client_order_id for a new order, or send exactly the first order to get its answer again"


class NotPermitted(BridgeError):
    """This caller, or this process, may not do that."""

    code = "NOT_PERMITTED"
    action = "ask the operator of this server"


class UnsignedJob(NotPermitted):
    """The job carries no valid signature of a frontend."""

    code = "UNSIGNED_JOB"
    action = "give the frontends and the worker the same JOB_SIGNING_SECRET"


class WrongAccount(NotPermitted):
    """The account is not served here, or does not fit the trading mode."""

    code = "WRONG_ACCOUNT"
    action = "use one of the accounts that get_status lists"


class Unavailable(BridgeError):
    """A part that must answer is away; nothing was done."""

    code = "UNAVAILABLE"
    action = "call get_status to see which part is away"
    retry = "after 5 s"


class WorkerDown(Unavailable):
    """No worker shows a heartbeat."""

    code = "WORKER_DOWN"


class QueueDown(Unavailable):
    """Redis cannot be reached."""

    code = "QUEUE_DOWN"
    action = "wait; the server reconnects by itself"


class GatewayUnavailable(Unavailable):
    """The gateway link cannot serve now; the fact names its state."""

    code = "GATEWAY_UNAVAILABLE"
    action = "call get_status for the link's state; the worker reconnects by itself"
    retry = "after 10 s"


class Busy(Unavailable):
    """Too many calls are waiting; this one was not added."""

    code = "BUSY"
    action = "ask less at once"
    retry = "after 2 s"


class RateLimited(Unavailable):
    """The caller has used up its calls for now; nothing was done."""

    code = "RATE_LIMITED"
    action = "call less often; cancel_order is never limited"
    retry = "after 5 s"


class TimedOut(BridgeError):
    """A read was not answered within its time limit."""

    code = "TIMEOUT"
    action = "call get_status if it happens again"
    retry = "now"


class UnreadableAnswer(BridgeError):
    """Part of what the gateway answered could not be read; the rest alone would look complete."""

    code = "UNREADABLE_ANSWER"
    action = "ask again; if it happens again, tell the operator, whose log has the message"
    retry = "now"


class GatewayRefused(BridgeError):
    """The gateway answered with an error of its own."""

    code = "GATEWAY_REFUSED"
    action = "read the gateway's reason and change the call"


class NotSubscribed(GatewayRefused):
    """The account has no subscription for this market data."""

    code = "NOT_SUBSCRIBED"
    action = "subscribe to this exchange's data in the account's settings at IBKR, or ask for another contract"


class CompetingSession(GatewayRefused):
    """The same user is signed in elsewhere and holds the live market data."""

    code = "COMPETING_SESSION"
    action = "end the other session of this user, or use a separate user for this gateway"
    retry = "after 60 s"


class Pacing(GatewayRefused):
    """The gateway's request limits were reached."""

    code = "PACING"
    action = "ask for larger pieces less often"
    retry = "after 15 s"


class OrderUnresolved(BridgeError):
    """It is not known whether the order reached the gateway."""

    code = "ORDER_UNRESOLVED"
    action = "call get_orders and look for the client_order_id; do not place the order again under another key"
    retry = "with the same client_order_id"


class UnreadableJob(BridgeError):
    """The worker cannot read the job it was given."""

    code = "UNREADABLE_JOB"
    action = "run the same release of frontend and worker"


class Internal(BridgeError):
    """A defect of this server."""

    code = "INTERNAL"
    action = "report the request id to the operator, whose log has the details"


def _tree(root: type[BridgeError]) -> dict[str, type[BridgeError]]:
    return {root.code: root} | {code: cls for sub in root.__subclasses__() for code, cls in _tree(sub).items()}


BY_CODE: dict[str, type[BridgeError]] = _tree(BridgeError)
"""Every class by the code a caller sees."""


def from_wire(data: dict[str, Any]) -> BridgeError:
    """The error another process sent; a code this release does not know becomes its nearest, ``BridgeError``."""
    cls = BY_CODE.get(str(data.get("code")), BridgeError)
    return cls(
        str(data.get("fact", "")), action=str(data.get("action", cls.action)), retry=str(data.get("retry", cls.retry))
    )
