"""One child process: started on the leash, logged to a file, ended politely and then certainly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The application runs from here."""

_LOOK_SECONDS = 0.05
_TAIL_BYTES = 8192


class Child:
    """A process of the demo's. It lives in a process group of its own, so that Ctrl-C reaches the supervisor alone."""

    def __init__(self, name: str, module: str, *arguments: str, log: Path, on_terminal: bool = False) -> None:
        self.name = name
        self.log = log
        self._command = (module, *arguments)
        self._on_terminal = on_terminal
        """Whether standard input and output are the supervisor's own, and only errors are logged."""
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, environment: Mapping[str, str], leash: int) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "demo.leash",
                str(leash),
                *self._command,
                cwd=ROOT,
                env=environment,
                stdin=None if self._on_terminal else asyncio.subprocess.DEVNULL,
                stdout=None if self._on_terminal else log,
                stderr=log,
                process_group=None if self._on_terminal else 0,
                pass_fds=(leash,),
            )

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.returncode if self._process else None

    async def ended(self) -> None:
        """Wait until it ends."""
        if self._process:
            await self._process.wait()

    async def said(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Wait until its log holds the pattern. The caller sets the limit."""
        while (match := pattern.search(self.log.read_text(errors="replace"))) is None:  # noqa: ASYNC110 - another's file
            await asyncio.sleep(_LOOK_SECONDS)
        return match

    async def stop(self, seconds: float, hurry: asyncio.Event) -> None:
        """Ask it to end and wait so long, or until there is a hurry; then end it."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        ended, hurried = asyncio.ensure_future(self.ended()), asyncio.ensure_future(hurry.wait())
        await asyncio.wait({ended, hurried}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if self._process.returncode != 0:
            self._kill()
        await ended

    def _signal(self, number: int) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _kill(self) -> None:
        """End it and whatever it started."""
        if self._process is None:
            return
        if self._on_terminal:
            self._signal(signal.SIGKILL)
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def how_it_ended(self) -> str:
        """Exit code or signal, in words."""
        code = self.exit_code
        if code is None:
            return "is still running"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def tail(self, lines: int) -> Sequence[str]:
        """The last lines of its log, the messages alone where they are JSON."""
        with self.log.open("rb") as log:
            log.seek(max(self.log.stat().st_size - _TAIL_BYTES, 0))
            text = log.read().decode(errors="replace")
        return [_message(line) for line in text.splitlines() if line.strip()][-lines:]


def _message(line: str) -> str:
    try:
        entry = json.loads(line)
        return f"{entry['level']} {entry['message']}"
    except (ValueError, KeyError, TypeError):
        return line
