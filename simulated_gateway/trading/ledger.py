"""The ledger: every order message that reached the gateway, whatever became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

OrderMessage = Literal["place", "modify", "cancel", "global cancel"]


@dataclass(slots=True, kw_only=True)
class LedgerEntry:
    """One order message, as received."""

    number: int
    time: datetime
    kind: OrderMessage
    client_id: int
    order_id: int
    order_ref: str = ""
    action: str = ""
    quantity: Decimal | None = None
    order_type: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    tif: str = ""
    account: str = ""
    symbol: str = ""
    sec_type: str = ""
    con_id: int = 0
    what_if: bool = False
    #: Of the order that the message made or meant; 0 where it was refused.
    perm_id: int = 0
    #: "accepted", or the code and text of the refusal.
    outcome: str = ""


class Ledger:
    """Append-only; entries are completed with their outcome within the message's handling."""

    def __init__(self) -> None:
        self.entries: list[LedgerEntry] = []

    def next_number(self) -> int:
        """The number of the entry to come, from 1."""
        return len(self.entries) + 1

    def append(self, entry: LedgerEntry) -> LedgerEntry:
        """Write down a message."""
        self.entries.append(entry)
        return entry
