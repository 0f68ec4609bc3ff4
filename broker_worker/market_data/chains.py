"""Option chains: which classes, expirations and strikes an underlying has. Kept until the exchange's next midnight."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from broker_worker.cache_file import CacheFile
from broker_worker.contracts import Resolved, until_night
from broker_worker.gateway.budget import Lane
from broker_worker.gateway.convert import exact
from broker_worker.gateway.requests import Wanted
from broker_worker.gateway.waiting import Patience
from broker_worker.single_flight import SingleFlight
from shared.contract.market_data import OptionChain
from shared.errors import InvalidArgument

if TYPE_CHECKING:
    from broker_worker.gateway.session import Session

SECONDS = 12.0
Row = tuple[str, str, str, list[str], list[float]]
"""Exchange, trading class, multiplier, expirations, strikes. Source: TWS API, securityDefinitionOptionParameter."""
_ROWS = TypeAdapter(list[Row])


class ChainBook:
    """Fetches chains; identical questions in flight share one request, and later ones its answer."""

    def __init__(self, file: CacheFile) -> None:
        self._file = file
        self._flight = SingleFlight[int, list[Row]]()

    async def rows(self, session: Session, underlying: Resolved, patience: Patience) -> list[Row]:
        """What the gateway says of every class at every exchange."""
        return await self._flight.do(
            underlying.contract.conId, patience, lambda shared: self._look_up(session, underlying, shared)
        )

    async def _look_up(self, session: Session, underlying: Resolved, patience: Patience) -> list[Row]:
        contract = underlying.contract
        key = f"chain:{contract.conId}"
        if (stored := await self._file.get(key)) is not None:
            return _ROWS.validate_json(stored.body)
        exchange = contract.exchange if contract.secType == "FUT" else ""
        found: list[Row] = await session.ask(
            Wanted.OPTION_CLASSES,
            Lane.QUOTE,
            SECONDS,
            lambda request: session.client.reqSecDefOptParams(
                request, contract.symbol, exchange, contract.secType, contract.conId
            ),
            patience=patience,
        )
        if found:
            await self._file.put(key, _ROWS.dump_json(found), until_night(underlying.time_zone))
        return found


def chains(
    rows: list[Row], exchange: str, expiration: str | None, price: Decimal | None, strikes: int
) -> list[OptionChain]:
    """The exchange's rows as the contract shows them; with an expiration, only what has it, with strikes.

    Where the exchange has none, those of all are shown. Raises ``InvalidArgument`` that lists the expirations where
    none has the one asked for.
    """
    rows = [row for row in rows if row[0] == exchange] or rows
    grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if expiration is None or expiration in row[3]:
            grouped[row[0], row[1]].append(row)
    if expiration is not None and rows and not grouped:
        raise not_listed(expiration, {text for row in rows for text in row[3]})
    return [_chain(key, grouped[key], price, strikes if expiration else 0) for key in sorted(grouped)]


def not_listed(expiration: str, listed: set[str]) -> InvalidArgument:
    """The refusal of an expiration, with those there are."""
    dates = sorted(as_date(text) for text in listed)
    return InvalidArgument(f"no option expires on {as_date(expiration)}", action=f"use one of {', '.join(dates[:14])}")


def as_date(text: str) -> str:
    """An expiration as ``yyyy-mm-dd``."""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def wire_date(text: str) -> str:
    """An expiration as the gateway writes it; raises ``InvalidArgument`` for a day no calendar has."""
    digits = text.replace("-", "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).strftime("%Y%m%d")
    except ValueError:
        raise InvalidArgument(f"expiration {text} is not a date") from None


def _chain(key: tuple[str, str], rows: list[Row], price: Decimal | None, most: int) -> OptionChain:
    strikes = sorted({strike for row in rows for value in row[4] if (strike := exact(value)) is not None})
    return OptionChain(
        exchange=key[0],
        trading_class=key[1],
        multipliers=sorted({number for row in rows if (number := exact(row[2])) is not None}),
        expirations=sorted({as_date(text) for row in rows for text in row[3]}),
        strike_range=[strikes[0], strikes[-1]] if strikes else [],
        strikes=around(strikes, price, most) if most else [],
    )


def around(strikes: list[Decimal], price: Decimal | None, most: int) -> list[Decimal]:
    """The strikes nearest to the price, ascending; around the middle of the list where no price is known."""
    if not strikes:
        return []
    money = price if price is not None else strikes[len(strikes) // 2]
    return sorted(sorted(strikes, key=lambda strike: abs(strike - money))[:most])
