"""Account numbers made unreadable, for logs and recordings.

Every text keeps its length, so that recorded frames keep theirs. Only the standard library is used here.
"""

from __future__ import annotations

import re

SHOWN = 3
"""Letters of an account number left readable at its end, enough to tell one's own accounts apart."""

_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])(D?[UFI][A-Z]?)(\d{4,9})(?![A-Za-z0-9])", re.IGNORECASE)
"""U1234567, DU1234567, DUH123456, F1234567, DF1234567, I1234567: live, paper, advisor and broker accounts at IBKR."""


def mask_accounts(text: str) -> str:
    """The text with every account number starred: ``DU1234567`` becomes ``DU****567``."""
    return _ACCOUNT.sub(_starred, text)


def _starred(match: re.Match[str]) -> str:
    prefix, digits = match.groups()
    return prefix + "*" * (len(digits) - SHOWN) + digits[-SHOWN:]
