"""The market data tools."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from broker_worker.contracts import ContractBook, Resolved
from broker_worker.gateway import errors
from broker_worker.gateway.link import GatewayLink
from broker_worker.market_data.bars import OPEN_END_ONLY, BarRequest, BarStore, make_cursor, page_backwards, read_cursor
from broker_worker.market_data.chains import ChainBook, chains, wire_date
from broker_worker.market_data.quotes import Line, QuoteBoard
from shared import clock
from shared.contract import Call
from shared.contract.answers import cursor_position, fits
from shared.contract.arguments import ContractQuery
from shared.contract.market_data import HistoricalBars, MarketDataTools, OptionChains, StockPrice
from shared.errors import BridgeError, InvalidArgument, UnknownContract

MONEY_PATIENCE = 2.0
"""Seconds to wait for the underlying's price that the shown strikes lie around."""


_USUAL = {"CASH": "MIDPOINT", "CFD": "MIDPOINT", "CMDTY": "MIDPOINT", "CRYPTO": "AGGTRADES"}
"""What bars are made of where the type has no plain trades."""


class MarketDataDesk(MarketDataTools):
    """Answers about prices, bars and chains."""

    def __init__(self, link: GatewayLink, contracts: ContractBook, quotes: QuoteBoard) -> None:
        self._link = link
        self._contracts = contracts
        self._quotes = quotes
        self._bars = BarStore()
        self._chains = ChainBook()

    async def get_stock_price(self, call: Call, contract: ContractQuery) -> StockPrice:
        """See the contract."""
        resolved = await self._contracts.resolve(contract)
        line = await self._quotes.quote(self._link.session, resolved)
        values = line.values
        return StockPrice(
            symbol=resolved.contract.symbol,
            con_id=resolved.contract.conId,
            bid=values.get("bid"),
            ask=values.get("ask"),
            last=values.get("last"),
            close=values.get("close"),
            volume=values.get("volume"),
            currency=resolved.contract.currency,
            data_kind=line.kind,
            timestamp=line.updated or clock.now(),
            exchange_tz=resolved.time_zone,
            note=_join(contract.note, _remark(line)),
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
        now = clock.now().replace(microsecond=0)
        pinned, seen = read_cursor(cursor) if cursor is not None else (end or now, 0)
        resolved = await self._contracts.resolve(contract)
        show = what_to_show or _USUAL.get(resolved.contract.secType, "TRADES")
        wanted = BarRequest(resolved.contract.conId, pinned, duration, bar_size, show, use_rth)
        if end is not None and show in OPEN_END_ONLY:
            raise InvalidArgument(f"the gateway gives {show} only up to now", action="leave out end")
        await call.progress(f"waiting for {bar_size} bars of {resolved.contract.symbol}")
        bars = await self._bars.range(self._link.session, resolved, wanted)
        shown, now_seen = page_backwards(bars, seen)
        return HistoricalBars(
            items=shown,
            count=len(shown),
            truncated=now_seen is not None,
            next_cursor=make_cursor(pinned, now_seen) if now_seen is not None else None,
            as_of=now,
            note=contract.note if bars else _join(contract.note, "no trading in this range"),
            symbol=resolved.contract.symbol,
            con_id=resolved.contract.conId,
            currency=resolved.contract.currency,
            bar_size=bar_size,
            what_to_show=show,
            exchange_tz=resolved.time_zone,
        )

    async def get_option_chain(
        self, call: Call, contract: ContractQuery, expiration: str | None = None, cursor: str | None = None
    ) -> OptionChains:
        """See the contract."""
        asked = wire_date(expiration) if expiration is not None else None
        start = cursor_position(cursor) if cursor is not None else 0
        resolved = await self._contracts.resolve(contract)
        session = self._link.session
        rows = await self._chains.rows(session, resolved)
        if not rows:
            raise UnknownContract(f"{resolved.contract.symbol} has no listed options")
        price = await self._money(resolved) if asked else None
        found = chains(rows, asked, price)
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

    async def _money(self, resolved: Resolved) -> Decimal | None:
        """The underlying's price for choosing strikes; the chain is shown without one too."""
        try:
            line = await self._quotes.quote(self._link.session, resolved, MONEY_PATIENCE)
        except BridgeError:
            return None
        return next((value for name in ("last", "close", "bid", "ask") if (value := line.values.get(name))), None)


def _remark(line: Line) -> str | None:
    """What the gateway remarked about the line's data, in plain words."""
    if errors.COMPETING in line.remarks:
        return "another session of this user holds the live data"
    if line.kind.startswith("delayed") or errors.DELAYED_FOLLOWS in line.remarks:
        return "no live data subscription for this contract: prices are delayed by 15 to 20 minutes"
    return None


def _join(*notes: str | None) -> str | None:
    return "; ".join(note for note in notes if note) or None
