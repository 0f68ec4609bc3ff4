"""Processes of the product, started as a user starts them, and one way to wait for anything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
STOP_SECONDS = 15.0


def until(happened: Callable[[], object], seconds: float, what: str, seen: Callable[[], object] = str) -> None:
    """Return when something is so; fail, naming it and what is seen instead, where it is not in so many seconds."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            message = f"not within {seconds:g} s: {what} {seen()}"
            raise AssertionError(message)
        time.sleep(0.02)


class Process:
    """One `python -m …`, its environment and its log."""

    def __init__(self, name: str, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._command = [sys.executable, "-m", *arguments]
        self._environment = dict(environment)
        self._log = log
        self._said_before = 0
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._running is not None and self._running.poll() is None

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    def start(self) -> None:
        self._said_before = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def signal(self, number: signal.Signals) -> None:
        assert self._running is not None
        self._running.send_signal(number)

    def ended(self, seconds: float = STOP_SECONDS) -> int:
        """The exit code, once it has ended."""
        assert self._running is not None
        try:
            return self._running.wait(seconds)
        except subprocess.TimeoutExpired:
            message = f"{self.name} did not end within {seconds:g} s:\n{self.tail()}"
            raise AssertionError(message) from None

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """Ask it to end; its exit code."""
        self.signal(signal.SIGTERM)
        return self.ended(seconds)

    def kill(self) -> None:
        """End it as a crash would."""
        if self.running:
            self.signal(signal.SIGKILL)
            self.ended()

    @property
    def said(self) -> str:
        """Its log since it was last started."""
        return self._log.read_bytes()[self._said_before :].decode(errors="replace") if self._log.exists() else ""

    def tail(self, lines: int = 25) -> str:
        return "\n".join(self.said.splitlines()[-lines:])


def clean_environment() -> dict[str, str]:
    """This process's own, without settings somebody may have made for the product."""
    prefixes = (
        "IBKR_",
        "SERVER_",
        "READONLY",
        "REDIS_URL",
        "JOB_SIGNING",
        "GATEWAY_",
        "TOOLSETS",
        "ALLOWED_",
        "MAX_",
        "AUTHENTICATION",
        "ALLOW_",
        "JWT_",
        "PUBLIC_URL",
        "CALLS_",
        "METRICS_",
        "DRAIN_",
    )
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
