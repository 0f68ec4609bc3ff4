"""One market data line: a contract's quote as ticks, streaming or as a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from simulated_gateway.instruments import Instrument
from simulated_gateway.market_data import OptionComputation, Quote
from simulated_gateway.sessions.session import Session
from simulated_gateway.wire import market_messages
from simulated_gateway.wire.framing import Message, format_decimal

#: A price tick carries the size of its side.
_PRICES: Mapping[str, str | None] = {
    "bid": "bid_size",
    "ask": "ask_size",
    "last": "last_size",
    "open": None,
    "high": None,
    "low": None,
    "close": None,
}
_SIZES = ("bid_size", "ask_size", "last_size", "volume")
#: Without these a snapshot is incomplete, except for what never has them.
_COMPLETE = ("bid", "ask", "last", "close")
#: TWS API: generic tick 233 asks for RTVolume, 221 for the mark price.
_RT_VOLUME, _MARK_PRICE = "233", "221"

Value = Decimal | int | OptionComputation | None


class MarketLine:
    """Sends what changed since it was last sent. TWS API: aggregated every 250 ms, here at every beat."""

    def __init__(
        self,
        session: Session,
        instrument: Instrument,
        req_id: int,
        *,
        delayed: bool,
        snapshot: bool,
        generic_ticks: frozenset[str] = frozenset(),
    ) -> None:
        self._session = session
        self._instrument = instrument
        self._req_id = req_id
        self._delayed = delayed
        self._snapshot = snapshot
        self._generic_ticks = generic_ticks
        self._types = market_messages.DELAYED_TICKS if delayed else market_messages.LIVE_TICKS
        self._sent: dict[str, Value] = {}
        self._patience_ends = session.brokerage.clock.monotonic() + session.brokerage.config.snapshot_patience

    @property
    def con_id(self) -> int:
        """The contract's id."""
        return self._instrument.con_id

    def publish(self, now: float) -> None:
        """Send what changed; end a snapshot that is complete or has waited long enough."""
        brokerage = self._session.brokerage
        if brokerage.faults.competing_session or brokerage.catalogue.by_con_id(self.con_id) is None:
            return
        values = self._values()
        for name, value in values.items():
            if value is not None and self._sent.get(name) != value:
                self._sent[name] = value
                self._send(name, value, values)
        if self._snapshot and (self._is_complete(values) or now >= self._patience_ends):
            self._session.send_message(market_messages.tick_snapshot_end(self._req_id))
            self._session.unsubscribe(("market data", self._req_id))

    def _quote(self) -> Quote:
        return self._session.brokerage.market.quote(self.con_id, delayed=self._delayed)

    def _values(self) -> dict[str, Value]:
        quote = self._quote()
        values: dict[str, Value] = {name: getattr(quote, name) for name in (*_PRICES, *_SIZES)}
        values["last_timestamp"] = None if quote.last is None else int(quote.time.timestamp())
        if self._instrument.sec_type == "OPT":
            market = self._session.brokerage.market
            values["model_option"] = market.option_computation(self.con_id, delayed=self._delayed)
        if _MARK_PRICE in self._generic_ticks and not self._delayed:
            values["mark_price"] = quote.last
        return values

    def _is_complete(self, values: dict[str, Value]) -> bool:
        optional = {"last"} if self._instrument.sec_type == "CASH" else set[str]()
        if self._instrument.sec_type == "IND":
            optional = {"bid", "ask"}
        return all(values[name] is not None for name in _COMPLETE if name not in optional)

    def _send(self, name: str, value: Value, values: dict[str, Value]) -> None:
        for message in self._messages(name, value, values):
            self._session.send_message(message)

    def _messages(self, name: str, value: Value, values: dict[str, Value]) -> list[Message]:
        req_id = self._req_id
        match value:
            case OptionComputation():
                return [market_messages.tick_option_computation(req_id, self._types[name], value)]
            case int():
                return [market_messages.tick_string(req_id, self._types[name], str(value))]
            case Decimal() if name == "mark_price":
                return [market_messages.tick_price(req_id, market_messages.MARK_PRICE_TICK, value)]
            case Decimal() if name in _PRICES:
                return self._price_messages(name, value, values)
            case Decimal():
                return [market_messages.tick_size(req_id, self._types[name], value)]
            case _:
                return []

    def _price_messages(self, name: str, price: Decimal, values: dict[str, Value]) -> list[Message]:
        size_name = _PRICES[name]
        size = values.get(size_name) if size_name else None
        size = size if isinstance(size, Decimal) else None
        messages: list[Message] = [market_messages.tick_price(self._req_id, self._types[name], price, size)]
        if name == "last" and _RT_VOLUME in self._generic_ticks and not self._delayed:
            messages.append(self._rt_volume(price, size, values))
        return messages

    def _rt_volume(self, price: Decimal, size: Decimal | None, values: dict[str, Value]) -> Message:
        """TWS API: price;size;time in ms;volume;vwap;single trade."""
        seconds, volume = values["last_timestamp"], values["volume"]
        millis = seconds * 1000 if isinstance(seconds, int) else 0
        traded = format_decimal(volume) if isinstance(volume, Decimal) else "0"
        dealt = format_decimal(price)
        text = f"{dealt};{format_decimal(size or Decimal(0))};{millis};{traded};{dealt};true"
        return market_messages.tick_string(self._req_id, market_messages.RT_VOLUME_TICK, text)

    def stop(self) -> None:
        """Nothing to undo."""
