"""What the gateway tells a second client that asks and changes nothing."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from datetime import datetime

from ib_async import Contract

from broker_worker.doctor.findings import Finding, fail, note, ok, warn
from broker_worker.doctor.visitor import Visitor
from broker_worker.gateway import errors
from broker_worker.gateway.budget import Lane, MessageBudget
from broker_worker.gateway.callbacks import Callbacks
from broker_worker.gateway.outages import Outages
from broker_worker.gateway.requests import Wanted
from broker_worker.gateway.session import Session
from broker_worker.settings import WorkerSettings
from shared import clock
from shared.errors import BridgeError

CONNECT_SECONDS = 8.0
ANSWER_SECONDS = 4.0
DATA_SECONDS = 6.0
_SKEW_SECONDS = 5.0
_LIVE_OR_WHAT_THERE_IS = 4
"""Market data type: live, else frozen, else delayed. Source: TWS API, ``reqMarketDataType``."""
_KINDS = {1: "live", 2: "frozen", 3: "delayed", 4: "delayed and frozen"}
_PROBE = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")

_END_OTHER = "end the other session of this user, or use a separate user for this gateway"
_SUBSCRIBE = "subscribe in the account's settings at IBKR, and share the subscription with the paper account"


async def look(settings: WorkerSettings, now: datetime) -> list[Finding]:
    """Connect under a client id of its own, ask, and leave."""
    found: list[Finding] = []
    visitor = Visitor()
    session = Session(
        lambda requests: Callbacks(requests, visitor, visitor, visitor, visitor, settings.ibkr_time_zone),
        MessageBudget(10, reserve=0),
    )
    try:
        refusal = await _connect(settings, session, now)
        if refusal is not None:
            return [refusal]
        found += [ok("gateway", f"signed in, API version {session.server_version}"), _accounts(settings, session)]
        found += await _clock(session)
        found.append(await _read_only(settings, session, visitor))
        found.append(await _data(session, visitor))
    except BridgeError as error:
        found.append(fail("gateway", error.fact, "look at the gateway's screen; restart it if it hangs"))
    finally:
        session.abort()
    return found


async def _connect(settings: WorkerSettings, session: Session, now: datetime) -> Finding | None:
    """Why there is no connection; None where there is one."""
    where = f"{settings.ibkr_host}:{settings.gateway_port}"
    planned = Outages(settings.restart_time, settings.zone).planned(now)
    perhaps = f" (just now perhaps {planned})" if planned else ""
    client_id = settings.ibkr_client_id
    while client_id == settings.ibkr_client_id:
        client_id = random.randrange(9_000, 10_000)  # noqa: S311 - only not somebody else's
    closed = asyncio.Event()

    def on_closed(_reason: str) -> None:
        closed.set()

    session.client.conn.disconnected += on_closed
    shaking = asyncio.ensure_future(
        session.connect(settings.ibkr_host, settings.gateway_port, client_id, CONNECT_SECONDS)
    )
    gone = asyncio.ensure_future(closed.wait())
    try:
        await asyncio.wait({shaking, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not shaking.done():
            return fail(
                "gateway",
                f"{where} takes the connection and closes it at once",
                "in the gateway: Configure, Settings, API, Settings: add this machine to the Trusted IPs",
            )
        await shaking
    except ConnectionRefusedError:
        port = "IBKR_GATEWAY_LIVE_PORT" if settings.ibkr_trading_mode == "live" else "IBKR_GATEWAY_PAPER_PORT"
        fix = f"start the gateway; {port} must be its socket port (4001 live, 4002 paper; in containers 4003 and 4004)"
        return fail("gateway", f"nothing listens at {where}{perhaps}", fix)
    except TimeoutError:
        return fail(
            "gateway",
            f"{where} takes connections and the API does not answer{perhaps}: it is starting, or waits for a sign-in",
            "sign in at the gateway's screen, or approve the two-factor request on your phone",
        )
    except OSError as error:
        return fail(
            "gateway", f"no connection to {where}: {error.strerror or error}", "correct IBKR_HOST, or the network"
        )
    finally:
        session.client.conn.disconnected -= on_closed
        for task in (shaking, gone):
            task.cancel()
    return None


def _accounts(settings: WorkerSettings, session: Session) -> Finding:
    """Paper accounts begin with D, live ones do not."""
    mode, accounts = settings.ibkr_trading_mode, session.accounts
    misfit = [account for account in accounts if account.startswith("D") != (mode == "paper")]
    if misfit or not accounts:
        seen = f"{', '.join(misfit)} is not a {mode} account" if accounts else "the gateway names no account"
        return fail("account", seen, f"sign the gateway in to the {mode} account, or change IBKR_TRADING_MODE")
    return ok("account", f"{', '.join(accounts)} fits {mode} trading")


async def _clock(session: Session) -> list[Finding]:
    seconds = await session.ask_alone(Wanted.TIME, Lane.ACCOUNT, ANSWER_SECONDS, session.client.reqCurrentTime)
    apart = abs(clock.now().timestamp() - int(seconds))
    if apart < _SKEW_SECONDS:
        return []
    return [warn("clock", f"the gateway's clock and this one are {apart:.0f} s apart", "set both clocks by NTP")]


async def _read_only(settings: WorkerSettings, session: Session, visitor: Visitor) -> Finding:
    """A gateway with a read-only API refuses a client its own open orders, of which this one has none."""
    asked = asyncio.ensure_future(
        session.ask_alone(Wanted.OPEN_ORDERS, Lane.ACCOUNT, ANSWER_SECONDS, session.client.reqOpenOrders)
    )
    refused = asyncio.ensure_future(visitor.refused.wait())
    try:
        await asyncio.wait({asked, refused}, return_when=asyncio.FIRST_COMPLETED)
        read_only = not asked.done()
        if not read_only:
            await asked
    finally:
        asked.cancel()
        refused.cancel()
        with suppress(asyncio.CancelledError, BridgeError):
            await asked
    if read_only == settings.ibkr_read_only_api:
        return ok("read-only API", "on, as set: the gateway itself refuses orders" if read_only else "off, as set")
    if read_only and not settings.readonly:
        where = "Configure, Settings, API, Settings, Read-Only API"
        return fail("read-only API", "on: the gateway refuses every order", f"switch it off in the gateway: {where}")
    fix = f"set IBKR_READ_ONLY_API={'true' if read_only else 'false'}, so that the worker knows"
    return warn("read-only API", f"{'on' if read_only else 'off'} in the gateway, otherwise in IBKR_READ_ONLY_API", fix)


async def _data(session: Session, visitor: Visitor) -> Finding:
    """Open one line for a stock everybody knows, and close it again."""
    client = session.client
    request = client.getReqId()
    await session.tell(Lane.QUOTE, lambda: client.reqMarketDataType(_LIVE_OR_WHAT_THERE_IS))
    await session.tell(Lane.QUOTE, lambda: client.reqMktData(request, _PROBE, "", False, False, []))
    with suppress(TimeoutError):
        async with asyncio.timeout(DATA_SECONDS):
            await visitor.data_seen.wait()
    if session.alive:
        await session.tell(Lane.QUOTE, lambda: client.cancelMktData(request))
    if visitor.data_error is not None:
        return _no_data(*visitor.data_error)
    kind = _KINDS.get(visitor.data_kind or 1, "of an unknown kind")
    if not visitor.data_seen.is_set():
        return note("market data", "no price of AAPL came; outside trading hours that can be so")
    if kind == "live":
        return ok("market data", "AAPL is live")
    return warn("market data", f"AAPL is {kind}", f"right outside trading hours; else {_SUBSCRIBE}")


def _no_data(code: int, text: str) -> Finding:
    if code == errors.COMPETING:
        return warn("market data", "another session of this user holds the live data", _END_OTHER)
    if code in errors.NOT_SUBSCRIBED:
        return warn("market data", f"no subscription for US stocks ({code})", _SUBSCRIBE)
    return warn("market data", f"{text} (gateway code {code})", "look the code up in IBKR's message codes")
