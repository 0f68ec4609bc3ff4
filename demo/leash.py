"""``python -m demo.leash FD MODULE …`` runs a module as ``python -m`` does, and ends it once nobody holds the leash.

The supervisor holds the other end of the pipe FD. However it ends, ``kill -9`` included, the pipe closes.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

PATIENCE_SECONDS = 8.0
"""After the polite signal."""


def _follow(leash: int) -> None:
    os.read(leash, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Follow the leash in the background and become the module."""
    leash, module = int(sys.argv[1]), sys.argv[2]
    sys.argv = sys.argv[2:]
    threading.Thread(target=_follow, args=(leash,), name="leash", daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
