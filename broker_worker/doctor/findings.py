"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.masking import mask_accounts


class Level(StrEnum):
    """How good or bad it is."""

    OK = "ok"
    NOTE = "note"
    """What only a person can see, and should."""
    WARN = "warn"
    """Works, and will surprise somebody one day."""
    FAIL = "fail"
    """Does not work, or is not safe."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was seen, and what to do about it."""

    level: Level
    subject: str
    seen: str
    fix: str | None = None

    def line(self) -> str:
        """For the terminal; account numbers are masked, since such reports are passed on."""
        text = f"{self.level.value:<5} {self.subject:<14} {self.seen}"
        return mask_accounts(text if self.fix is None else f"{text}\n{'':<21}-> {self.fix}")


def ok(subject: str, seen: str) -> Finding:
    """As it should be."""
    return Finding(Level.OK, subject, seen)


def warn(subject: str, seen: str, fix: str) -> Finding:
    """To be mended when there is time."""
    return Finding(Level.WARN, subject, seen, fix)


def fail(subject: str, seen: str, fix: str) -> Finding:
    """To be mended now."""
    return Finding(Level.FAIL, subject, seen, fix)


def note(subject: str, seen: str, fix: str | None = None) -> Finding:
    """To be known."""
    return Finding(Level.NOTE, subject, seen, fix)
