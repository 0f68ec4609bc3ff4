"""Named points in an order's life at which tests let the process die or stall. Without the variable they do nothing.

``FAIL_POINTS=after-begin=kill,after-send=stop`` kills the process (SIGKILL) or stops it (SIGSTOP) when it gets there.
"""

from __future__ import annotations

import os
import signal
from typing import Final

NAMES: Final = ("claimed", "in-file", "begun", "sent", "acknowledged", "answered")
"""The points, in the sequence an order passes them."""

_ACTIONS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def _configured() -> dict[str, int]:
    pairs = [pair.split("=", 1) for pair in os.environ.get("FAIL_POINTS", "").split(",") if "=" in pair]
    unknown = [name for name, action in pairs if name not in NAMES or action not in _ACTIONS]
    if unknown:
        raise ValueError(f"FAIL_POINTS names {', '.join(unknown)}; there are {', '.join(NAMES)} with kill or stop")
    return {name: _ACTIONS[action] for name, action in pairs}


_ARMED = _configured()


def reach(name: str) -> None:
    """Pass a point."""
    if name in _ARMED:
        os.kill(os.getpid(), _ARMED[name])
