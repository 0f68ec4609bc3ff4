"""The market data tools."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from broker_worker.cache_file import CacheFile
from broker_worker.contracts import ContractBook, Resolved
from broker_worker.gateway.convert import exact
from broker_worker.gateway.link import GatewayLink
from broker_worker.gateway.waiting import Patience
from broker_worker.market_data.bars import OPEN_END_ONLY, BarRequest, BarStore
from broker_worker.market_data.chains import ChainBook, as_date, chains, not_listed, wire_date
from broker_worker.market_data.history import (
    FEW,
    LARGE,
    PAGE,
    History,
    make_cursor,
    now_to_the_second,
    page_backwards,
    read_cursor,
    summary,
)
from broker_worker.market_data.line import Line
from broker_worker.market_data.options import OptionList, option_quote
from broker_worker.market_data.quotes import QuoteBoard
from shared import clock
from shared.contract import Call
from shared.contract.answers import cursor_position, fits
from shared.contract.arguments import ContractQuery, UnderlyingQuery
from shared.contract.market_data import (
    FailedQuote,
    HistoricalBars,
    MarketDataTools,
    OptionChains,
    OptionQuotes,
    Quote,
    Quotes,
    StockPrice,
)
from shared.errors import BridgeError, InvalidArgument, UnknownContract
from shared.files import FileShelf

MONEY_PATIENCE = 2.0
"""Seconds to wait for the underlying's price that the shown strikes lie around."""

_USUAL = {"CASH": "MIDPOINT", "CFD": "MIDPOINT", "CMDTY": "MIDPOINT", "CRYPTO": "AGGTRADES"}
"""What bars are made of where the type has no plain trades."""

_MOST_QUOTES = 100
_ROOM_FOR_QUOTES = 16_000
"""Characters of an answer's rows; the rest is for what failed."""

KeyT = TypeVar("KeyT")


class MarketDataDesk(MarketDataTools):
    """Answers about prices, bars and chains."""

    def __init__(
        self, link: GatewayLink, contracts: ContractBook, quotes: QuoteBoard, file: CacheFile, files: FileShelf
    ) -> None:
        self._link = link
        self._contracts = contracts
        self._quotes = quotes
        self._history = History(BarStore(file), files)
        self._chains = ChainBook(file)
        self._options = OptionList(contracts)

    async def get_stock_price(self, call: Call, contract: ContractQuery) -> StockPrice:
        """See the contract."""
        line = await self._line(contract, Patience.of(call))
        return StockPrice(
            **_values(line),
            last_trade=line.last_trade,
            missing_subscription=line.missing_subscription,
            exchange_tz=line.resolved.time_zone,
            note=_join(contract.note, line.note()),
        )

    async def get_quotes(
        self,
        call: Call,
        symbols: list[str] | None = None,
        con_ids: list[int] | None = None,
        sec_type: str = "STK",
        exchange: str = "SMART",
        currency: str = "USD",
        cursor: str | None = None,
    ) -> Quotes:
        """See the contract."""
        asked: list[str | int] = [*dict.fromkeys(symbols or ()), *dict.fromkeys(con_ids or ())]
        if not 0 < len(asked) <= _MOST_QUOTES:
            raise InvalidArgument(f"symbols and con_ids together must name 1 to {_MOST_QUOTES} contracts")
        start = cursor_position(cursor) if cursor is not None else 0
        rest, patience = asked[start:], Patience.of(call)

        async def line(one: str | int) -> Line:
            return await self._line(_query(one, sec_type, exchange, currency), patience)

        lines, failed = await each(rest, line)
        rows = [Quote(**_values(lines[one])) for one in rest if one in lines]
        shown = rows[: fits(rows, limit=_ROOM_FOR_QUOTES)]
        more = len(shown) < len(rows)
        return Quotes(
            items=shown,
            count=len(shown),
            truncated=more,
            next_cursor=str(start + _position_after(rest, lines, len(shown))) if more else None,
            as_of=clock.now(),
            note=_join(*dict.fromkeys(line.note() for line in lines.values())),
            failed=failed,
            missing_subscriptions=_missing(lines.values()),
        )

    async def get_historical_data(
        self,
        call: Call,
        contract: ContractQuery,
        duration: str = "1 D",
        bar_size: str = "1 hour",
        what_to_show: str | None = None,
        use_rth: bool = True,
        end: datetime | None = None,
        cursor: str | None = None,
    ) -> HistoricalBars:
        """See the contract."""
        now = now_to_the_second()
        pinned, seen = read_cursor(cursor) if cursor is not None else (end or now, 0)
        resolved = await self._contracts.resolve(contract, Patience.of(call))
        symbol = resolved.contract.symbol
        show = what_to_show or _USUAL.get(resolved.contract.secType, "TRADES")
        wanted = BarRequest(resolved.contract.conId, pinned, duration, bar_size, show, use_rth)
        if end is not None and show in OPEN_END_ONLY:
            raise InvalidArgument(f"the gateway gives {show} only up to now", action="leave out end")
        bars = await self._history.bars(call, self._link.session, resolved, wanted)
        large = len(bars) > LARGE and cursor is None
        shown, now_seen = page_backwards(bars, seen, FEW if large else PAGE)
        name = f"{symbol}-{bar_size}-{pinned:%Y%m%d}".replace(" ", "_")
        return HistoricalBars(
            items=shown,
            count=len(shown),
            truncated=now_seen is not None,
            next_cursor=make_cursor(pinned, now_seen) if now_seen is not None else None,
            as_of=now,
            note=contract.note if bars else _join(contract.note, "no trading in this range"),
            summary=await asyncio.to_thread(summary, bars) if large else None,
            file=await self._history.file(call, bars, name) if large else None,
            symbol=symbol,
            con_id=resolved.contract.conId,
            currency=resolved.contract.currency,
            bar_size=bar_size,
            what_to_show=show,
            exchange_tz=resolved.time_zone,
        )

    async def get_option_chain(
        self,
        call: Call,
        contract: UnderlyingQuery,
        expiration: str | None = None,
        strikes: int = 20,
        cursor: str | None = None,
    ) -> OptionChains:
        """See the contract."""
        asked = wire_date(expiration) if expiration is not None else None
        start = cursor_position(cursor) if cursor is not None else 0
        patience = Patience.of(call)
        resolved = await self._contracts.resolve(contract.as_contract(), patience)
        rows = await self._chains.rows(self._link.session, resolved, patience)
        if not rows:
            raise UnknownContract(f"{resolved.contract.symbol} has no listed options")
        price = await self._money(resolved, patience) if asked else None
        found = chains(rows, contract.exchange, asked, price, strikes)
        shown = found[start : start + fits(found[start:])]
        more = start + len(shown) < len(found)
        about_strikes = "strikes are the class's; a few may not be listed for this expiration" if asked else None
        return OptionChains(
            items=shown,
            count=len(shown),
            truncated=more,
            next_cursor=str(start + len(shown)) if more else None,
            as_of=clock.now(),
            note=_join(contract.note, about_strikes),
            symbol=resolved.contract.symbol,
            con_id=resolved.contract.conId,
            currency=resolved.contract.currency,
            underlying_price=price,
        )

    async def get_option_quotes(
        self,
        call: Call,
        contract: UnderlyingQuery,
        expiration: str,
        strikes: int = 6,
        right: str | None = None,
        trading_class: str | None = None,
    ) -> OptionQuotes:
        """See the contract."""
        day, patience = wire_date(expiration), Patience.of(call)
        underlying = await self._contracts.resolve(contract.as_contract(), patience)
        session = self._link.session
        listed = await self._options.listed(underlying, day, trading_class, patience)
        if not listed:
            rows = await self._chains.rows(session, underlying, patience)
            raise not_listed(day, {text for row in rows for text in row[3]})
        price = await self._money(underlying, patience)
        wanted = self._options.around_money(listed, price, strikes, right)

        async def line(con_id: int) -> Line:
            return await self._quotes.quote(session, wanted[con_id], patience)

        lines, failed = await each(list(wanted), line)
        first = listed[0]
        return OptionQuotes(
            items=[option_quote(lines[con_id]) for con_id in wanted if con_id in lines],
            count=len(lines),
            truncated=False,
            next_cursor=None,
            as_of=clock.now(),
            note=_join(contract.note, *dict.fromkeys(line.note() for line in lines.values())),
            symbol=underlying.contract.symbol,
            expiration=as_date(day),
            trading_class=first.trading_class,
            multiplier=exact(first.multiplier),
            currency=first.currency,
            underlying_price=price,
            failed=failed,
            missing_subscriptions=_missing(lines.values()),
        )

    async def _line(self, contract: ContractQuery, patience: Patience) -> Line:
        resolved = await self._contracts.resolve(contract, patience)
        return await self._quotes.quote(self._link.session, resolved, patience)

    async def _money(self, resolved: Resolved, patience: Patience) -> Decimal | None:
        """The underlying's price for choosing strikes; the chain is shown without one too."""
        try:
            line = await self._quotes.quote(self._link.session, resolved, patience, MONEY_PATIENCE)
        except BridgeError:
            return None
        return next((value for name in ("last", "close", "bid", "ask") if (value := line.values.get(name))), None)


async def each(
    asked: list[KeyT], line: Callable[[KeyT], Awaitable[Line]]
) -> tuple[dict[KeyT, Line], list[FailedQuote]]:
    """The lines that were had, and why the others were not."""
    results = await asyncio.gather(*(_or_error(line(one)) for one in asked))
    pairs = list(zip(asked, results, strict=True))
    lines = {one: result for one, result in pairs if isinstance(result, Line)}
    failed = [FailedQuote(asked=str(one), error=str(result)) for one, result in pairs if not isinstance(result, Line)]
    return lines, failed


async def _or_error(line: Awaitable[Line]) -> Line | BridgeError:
    try:
        return await line
    except BridgeError as error:
        return error


def _query(one: str | int, sec_type: str, exchange: str, currency: str) -> ContractQuery:
    if isinstance(one, int):
        return ContractQuery(con_id=one)
    said: dict[str, str] = {"symbol": one, "sec_type": sec_type, "exchange": exchange}
    if sec_type != "CASH" or currency != "USD":  # USD.JPY names its own currency
        said["currency"] = currency
    return ContractQuery.model_validate(said)


def _values(line: Line) -> dict[str, Any]:
    """What every form of a quote has."""
    contract, values = line.resolved.contract, line.values
    return {
        "symbol": contract.symbol,
        "con_id": contract.conId,
        **{name: values.get(name) for name in ("bid", "ask", "last", "close", "volume")},
        "currency": contract.currency,
        "data_kind": line.shown_kind,
        "timestamp": line.updated or clock.now(),
    }


def _position_after(rest: list[str | int], lines: Iterable[str | int], shown: int) -> int:
    """How many of those asked the first rows and the failures between them cover."""
    had = set(lines)
    answered = [number for number, one in enumerate(rest) if one in had]
    return answered[shown - 1] + 1


def _missing(lines: Iterable[Line]) -> list[str]:
    named = (line.missing_subscription for line in lines)
    return sorted({name for name in named if name is not None})


def _join(*notes: str | None) -> str | None:
    return "; ".join(note for note in notes if note) or None
