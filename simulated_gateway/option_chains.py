"""Option chains: which expirations and strikes exist on which underlying today."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionChain:
    """One answer to reqSecDefOptParams (message 75): a trading class on one exchange.

    As on the real gateway, not every combination of the expirations and strikes exists as a contract.
    """

    exchange: str
    underlying_con_id: int
    trading_class: str
    multiplier: str
    #: Last trade dates, yyyymmdd, ascending.
    expirations: tuple[str, ...]
    #: In the underlying's currency, ascending.
    strikes: tuple[Decimal, ...]
