"""Account numbers and names made unreadable, for logs and recordings. Only the standard library is used here.

A log stars account numbers out. A recording must still work when it is replayed, so there every account, permId, person
and order reference gets another name, the same wherever it stands.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

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


_LONG_NUMBER = re.compile(r"(?<![\d.])\d{5,19}(?![\d.])")
_WORD = re.compile(r"[A-Za-z0-9_\-]{3,64}")
_OWN_REFERENCE = re.compile(r"mcp-[a-z2-7]{26}")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+\w")
_ROUNDS = 8
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


class Pseudonyms:
    """Other names for accounts, permIds, people and order references: the same for the same, under one salt.

    Nothing but the salt leads back. Account numbers keep their letters and their length, permIds their sequence
    and distances, this project's order references their form. What was named once is also found inside longer texts.
    """

    def __init__(self, salt: bytes, words: Iterable[str] = ()) -> None:
        self._salt = salt
        self._numbers: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._accounts: dict[str, str] = {}
        self._shift = 10**6 + int.from_bytes(self._digest(b"permIds", b"")[:8]) % 10**8
        self._phrases: list[str] = []
        """Names that are not one word."""
        for word in words:
            self.person(word)

    @property
    def masked(self) -> dict[str, int]:
        """How many different ones were replaced, by kind."""
        references = sum(1 for name in self._names.values() if not name.startswith("person-"))
        return {
            "account numbers": len(self._accounts),
            "permIds": len(self._numbers),
            "order references": references,
            "names": len(self._names) - references,
        }

    def account(self, code: str) -> str:
        """Another account number of the same kind: ``DU1234567`` becomes, say, ``DU4093318``. Empty stays empty."""
        if not code or (known := self._accounts.get(code)) is None:
            if not any(letter.isdigit() for letter in code):
                return code
            known = self._accounts[code] = re.sub(r"\d{2,}", lambda match: self._shuffled(match[0]), code)
        return known

    def number(self, text: str) -> str:
        """Another permId: a later one stays the later one, because orders are sorted by it. 0 and no number stay."""
        if not text.isdigit() or not int(text):
            return text
        known = self._numbers.get(text)
        if known is None:
            known = self._numbers[text] = str(int(text) + self._shift)
        return known

    def person(self, name: str) -> str:
        """Another name for a person, a caller or a group. Empty stays empty."""
        return self._named(name, "person-", 8)

    def reference(self, text: str) -> str:
        """Another order reference; one that this project made looks as if it had made that too."""
        own = _OWN_REFERENCE.fullmatch(text) is not None
        return self._named(text, "mcp-" if own else "ref-", 26 if own else 8)

    def text(self, text: str) -> str:
        """Any text with whatever is known in it replaced: account numbers, addresses, and what was named before."""
        if text in self._names:
            return self._names[text]
        if text in self._accounts:
            return self._accounts[text]
        if len(text) < 3 or text.replace(".", "", 1).isdigit():
            return text
        text = _ACCOUNT.sub(lambda match: self.account(match[0]), text)
        if "@" in text:
            text = _ADDRESS.sub(lambda match: self.person(match[0]), text)
        if self._names or "mcp-" in text:
            text = self._words_replaced(text)
        if self._numbers:
            text = _LONG_NUMBER.sub(lambda match: self._numbers.get(match[0], match[0]), text)
        return text

    def _words_replaced(self, text: str) -> str:
        text = _OWN_REFERENCE.sub(lambda match: self.reference(match[0]), text)
        text = _WORD.sub(lambda match: self._names.get(match[0], match[0]), text)
        for phrase in self._phrases:
            text = text.replace(phrase, self._names[phrase])
        return text

    def _named(self, name: str, prefix: str, length: int) -> str:
        if not name:
            return name
        known = self._names.get(name)
        if known is None:
            digest = self._digest(b"name", name.encode(errors="replace"))
            known = self._names[name] = prefix + "".join(_LETTERS[byte % 32] for byte in digest[:length])
            if not _WORD.fullmatch(name):
                self._phrases.append(name)
        return known

    def _digest(self, purpose: bytes, text: bytes) -> bytes:
        return hmac.new(self._salt, purpose + b"\0" + text, hashlib.sha256).digest()

    def _shuffled(self, digits: str) -> str:
        """As many other digits, different for different ones: a Feistel network over decimal digits."""
        middle = len(digits) // 2
        left, right = digits[:middle], digits[middle:]
        for turn in range(_ROUNDS):
            digest = self._digest(b"%d %d" % (turn, len(digits)), right.encode())
            added = (int(left or 0) + int.from_bytes(digest[:8])) % 10 ** len(left)
            left, right = right, f"{added:0{len(left)}d}" if left else ""
        return left + right
