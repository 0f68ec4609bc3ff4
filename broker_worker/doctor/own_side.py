"""What the settings alone tell."""

from __future__ import annotations

import os
from datetime import datetime

from broker_worker.doctor.findings import Finding, fail, note, ok, warn
from broker_worker.gateway.outages import Outages
from broker_worker.settings import WorkerSettings


def look(settings: WorkerSettings, now: datetime) -> list[Finding]:
    """Everything that needs neither Redis nor the gateway."""
    mode = settings.ibkr_trading_mode
    readonly = ", READONLY: no order is sent" if settings.readonly else ", orders are sent"
    return [
        ok("settings", f"valid: {mode} trading, gateway at {settings.ibkr_host}:{settings.gateway_port}{readonly}"),
        _secret(settings),
        _state_dir(settings),
        *_restart(settings, now),
        note(
            "precautions",
            "the gateway's order precautions cannot be seen through its API; with them an order may wait for a click",
            "in the gateway: Configure, Settings, API, Precautions: Bypass Order Precautions for API Orders",
        ),
    ]


def _secret(settings: WorkerSettings) -> Finding:
    if settings.job_signing_secret.get_secret_value():
        return ok("signing", "JOB_SIGNING_SECRET is set; the frontends must have the same")
    fix = "set JOB_SIGNING_SECRET to what `openssl rand -hex 32` prints, for the worker and every frontend"
    if settings.unsafe:
        return fail("signing", settings.unsafe, fix)
    return warn("signing", "no JOB_SIGNING_SECRET: whoever can write to Redis can place paper orders", fix)


def _state_dir(settings: WorkerSettings) -> Finding:
    folder = settings.state_dir.absolute()
    there = folder if folder.exists() else folder.parent
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return ok("state", f"{folder} can be written")
    return fail("state", f"{folder} (STATE_DIR) cannot be written; no order is sent without it", "give it to this user")


def _restart(settings: WorkerSettings, now: datetime) -> list[Finding]:
    outages = Outages(settings.restart_time, settings.zone)
    following = outages.next_restart(now)
    if following is None:
        found = [
            warn(
                "restart",
                "IBKR_AUTO_RESTART_TIME is not set: an order sent in the second of a restart can vanish",
                "set it and IBKR_TIME_ZONE as in the gateway: Configure, Settings, Lock and Exit, Auto restart. "
                "Auto restart also spares the daily sign-in",
            )
        ]
    else:
        local = following.astimezone(settings.zone)
        found = [ok("restart", f"next at {local:%A %H:%M} {settings.ibkr_time_zone}; no order in the minute before")]
    if why := outages.planned(now):
        found.append(note("restart", f"the gateway may be away just now: {why}"))
    return found
