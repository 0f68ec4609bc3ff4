"""Logs: one JSON object a line on standard error, account numbers masked."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime

from shared.masking import mask_accounts

CALL: ContextVar[Mapping[str, str] | None] = ContextVar("call", default=None)
"""Who is being served and under which request id: stands in every line that is logged meanwhile."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
"""Attributes every record has; what a caller adds beside them is shown."""


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with what the caller passed as ``extra``, and the traceback where there is one."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= CALL.get() or {}
        entry |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return mask_accounts(json.dumps(entry, ensure_ascii=False, default=str))


def configure(level: str, at_least: Mapping[str, int]) -> None:
    """Send every log of this process to standard error; ``at_least`` quietens libraries that say too much."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name, lowest in at_least.items():
        logging.getLogger(name).setLevel(max(logging.getLevelNamesMapping()[level], lowest))
