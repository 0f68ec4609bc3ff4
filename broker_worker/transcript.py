"""The jobs this worker ran and what it answered, written to a file, masked as a recording of the gateway is.

With such a recording of the same time, made with the same salt, the file is run again by ``python -m broker_worker
replay``. Lines are JSON objects: the first names the settings that answers depend on, every other is one job.
"""

from __future__ import annotations

import json
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from broker_worker.settings import WorkerSettings
from shared import clock
from shared.envelope import Envelope, unseal
from shared.errors import BridgeError
from shared.masking import Pseudonyms

if TYPE_CHECKING:
    from shared.queue.job import Done, Job, RunJob

log = logging.getLogger(__name__)

VERSION: Final = 1
"""Of the format; a replay refuses a newer one by number and reads every older one."""

REMEMBERED: Final = (
    "gateway_session", "readonly", "ibkr_trading_mode", "ibkr_client_id", "ibkr_read_only_api", "ibkr_time_zone",
    "ibkr_auto_restart_time", "duplicate_window_seconds", "max_messages_per_second", "max_market_data_lines",
)  # fmt: skip
"""The settings that answers depend on."""

_PERM_HANDLE = re.compile(r"perm:(\d+)")


class Transcript:
    """The file, written in a thread of its own, in the sequence in which jobs end."""

    def __init__(self, path: Path, settings: WorkerSettings, *, secret: bytes) -> None:
        """Begin a new file; raises ``OSError`` where there is one already, or none can be written."""
        self._file: IO[str] = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="transcript")
        self._names = Pseudonyms(settings.recording_salt.get_secret_value().encode())
        self._secret = secret
        remembered = {name: getattr(settings, name) for name in REMEMBERED}
        self._put({"transcript": VERSION, "began": clock.now().isoformat(), "settings": remembered})

    def note(self, job: Job, done: Done, began: datetime) -> None:
        """Write one job and its answer; what was no job of a known version is only counted as such."""
        line: dict[str, Any] = {"began": began.isoformat(), "ended": clock.now().isoformat(), "trades": job.trades}
        try:
            envelope = unseal(job.body, job.signature, self._secret)
        except BridgeError as error:
            line |= {"refused": error.code}
        else:
            line |= self._asked(envelope) | {"answer": masked(json.loads(done.answer), self._names)}
        self._put(line)

    def close(self) -> None:
        """Write what is waiting and end."""
        self._thread.shutdown()
        self._file.close()

    def _asked(self, envelope: Envelope) -> dict[str, Any]:
        return {
            "operation": envelope.operation,
            "arguments": masked(envelope.arguments, self._names),
            "caller": self._names.person(envelope.caller),
            "scopes": sorted(envelope.scopes),
            "accounts": None if envelope.accounts is None else sorted(map(self._names.account, envelope.accounts)),
            "authenticated": envelope.authenticated,
            "deadline_ms": envelope.deadline_ms,
            "request_id": envelope.request_id,
        }

    def _put(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str)
        self._thread.submit(self._write, text)

    def _write(self, text: str) -> None:
        try:
            self._file.write(text + "\n")
            self._file.flush()
        except OSError as error:
            log.error("the transcript cannot be written: %s", error)  # noqa: TRY400


def transcribed(run_job: RunJob, transcript: Transcript) -> RunJob:
    """The same runner of jobs, with every job and its answer written down."""

    async def run(job: Job) -> Done:
        began = clock.now()
        done = await run_job(job)
        transcript.note(job, done, began)
        return done

    return run


def masked(value: Any, names: Pseudonyms, name: str = "") -> Any:
    """A JSON value with accounts, permIds and known names replaced, wherever they stand."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: masked(item, names, key) for key, item in items}
    if isinstance(value, list):
        return [masked(item, names, name) for item in cast("Any", value)]
    if name == "perm_id" and isinstance(value, int):
        return int(names.number(str(value)))
    if isinstance(value, str):
        if name == "account":
            return names.account(value)
        for handle in _PERM_HANDLE.findall(value):
            names.number(handle)
        return names.text(value)
    return value
