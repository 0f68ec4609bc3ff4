"""What Redis tells: whether it keeps things, and how the worker is."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from broker_worker.doctor.findings import Finding, fail, ok, warn
from broker_worker.durability import DurabilityWatch
from broker_worker.settings import WorkerSettings
from shared import VERSION, clock, redis_address
from shared.contract.status import Durability, LinkState, WorkerStatus
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store

_STALE_SECONDS = 10.0
_SKEW_SECONDS = 1.0

_LINK_FIX = {
    LinkState.CONNECTING: "see the lines on the gateway",
    LinkState.SYNCHRONISING: "wait a few seconds; if it lasts, the worker's log names the step",
    LinkState.LINK_LOST: "the worker reconnects by itself; see the lines on the gateway",
    LinkState.PLANNED_OUTAGE: "wait; the worker reconnects by itself",
    LinkState.AWAITING_SIGN_IN: "sign in at the gateway's screen, or approve the two-factor request on your phone",
    LinkState.CLIENT_ID_TAKEN: "wait a minute; if it lasts, another program uses this id: change IBKR_CLIENT_ID",
    LinkState.WRONG_ACCOUNT: "sign the gateway in to the account of IBKR_TRADING_MODE, or change the mode",
}


async def look(settings: WorkerSettings, store: Store) -> list[Finding]:
    """Everything that is seen in Redis."""
    where = redis_address.place(settings.redis_url)
    try:
        await store.ping()
        found = [ok("redis", f"reachable at {where}"), await _durable(store), *await _clock(store)]
        return [*found, *await _worker(settings, store)]
    except RedisAway as error:
        return [fail("redis", f"not reachable at {where}: {error}", "start it, or correct REDIS_URL and its password")]


async def _durable(store: Store) -> Finding:
    watch = DurabilityWatch(store, required=False)
    await watch.look()
    state = watch.state
    if state is Durability.DURABLE:
        return ok("redis keeps", "every write is on its disk before it is answered")
    fix = "appendonly yes, appendfsync always, maxmemory-policy noeviction"
    if state is Durability.FORGETS:
        return fail("redis keeps", "nothing for certain: the records of orders may be lost", fix)
    return warn("redis keeps", f"{state.value}: see to it that it keeps the records of orders", fix)


async def _clock(store: Store) -> list[Finding]:
    """Deadlines of orders are judged by Redis's clock."""
    before = clock.now().timestamp()
    seconds, micros = await store.script("return redis.call('TIME')")(keys=[], args=[])
    apart = abs((before + clock.now().timestamp()) / 2 - int(seconds) - int(micros) / 1e6)
    if apart < _SKEW_SECONDS:
        return []
    fix = "let both machines set their clocks by NTP"
    return [warn("clock", f"Redis's clock and this one are {apart:.0f} s apart: calls expire early or late", fix)]


async def _worker(settings: WorkerSettings, store: Store) -> list[Finding]:
    keys = Keys(settings.gateway_session)
    text, heartbeat = await store.get_and_exists(keys.status, keys.heartbeat)
    holder = ((await store.get(keys.lease)) or b"").decode()
    unknown = len(await store.hash(keys.orders_unknown))
    found: list[Finding] = []
    if not heartbeat:
        start = "start it: scripts/run worker, or docker compose up -d broker-worker; GATEWAY_SESSION must be the same"
        found.append(fail("worker", f"none runs for the session {settings.gateway_session}", start))
    else:
        found.append(ok("worker", f"runs and holds the lease: {holder}"))
        found += _said(settings, text)
    if unknown:
        look_up = "look them up in TWS, then: python -m broker_worker resolve"
        found.append(warn("orders", f"{unknown} of unknown fate; they block orders beside them", look_up))
    return found


def _said(settings: WorkerSettings, text: bytes | None) -> list[Finding]:
    """What the running worker said of itself."""
    try:
        status = WorkerStatus.model_validate_json(text or b"")
    except ValidationError:
        return [warn("worker", "its status cannot be read", "run one release everywhere")]
    found: list[Finding] = []
    age = (clock.now() - status.heartbeat).total_seconds()
    if age > _STALE_SECONDS:
        found.append(fail("worker", f"it has said nothing for {age:.0f} s", "look at its log; restart it"))
    if status.version != VERSION:
        found.append(warn("worker", f"it is release {status.version}, this is {VERSION}", "run one release everywhere"))
    found += _differences(settings, status)
    detail = f" ({status.link_detail})" if status.link_detail else ""
    if status.link is LinkState.READY:
        found.append(ok("worker's link", "ready"))
    else:
        found.append(fail("worker's link", f"{status.link.value}{detail}", _LINK_FIX[status.link]))
    if status.competing_session:
        found.append(warn("worker's data", "another session of this user holds the live data", _END_OTHER))
    return found


_END_OTHER = "end the other session, or use a separate user for this gateway"


def _differences(settings: WorkerSettings, status: WorkerStatus) -> list[Finding]:
    """Where the worker was started with other settings than these."""
    pairs: list[tuple[str, Any, Any]] = [
        ("IBKR_TRADING_MODE", settings.ibkr_trading_mode, status.trading_mode),
        ("READONLY", settings.readonly, status.readonly),
        ("IBKR_READ_ONLY_API", settings.ibkr_read_only_api, status.read_only_api),
    ]
    return [
        warn("worker", f"it runs with {name}={theirs}, here it is {ours}", "restart it with the settings you mean")
        for name, ours, theirs in pairs
        if str(ours) != str(theirs)
    ]
