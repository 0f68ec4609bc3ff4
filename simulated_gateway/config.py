"""Everything about the simulated gateway that can be chosen before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

#: The server versions whose text protocol is spoken here.
LOWEST_VERSION = 157
HIGHEST_VERSION = 178


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the gateway lets a client do. The figures are the real gateway's."""

    #: Messages of one client in any second, all kinds together; each second above it is one strike, error 100.
    messages_per_second: int = 50
    #: At this many strikes within a minute the socket is closed.
    message_strikes: int = 3
    #: Streaming and snapshot market data lines of all clients together; error 101 past it.
    market_data_lines: int = 100
    clients: int = 32
    #: Historical requests of all clients that are still unanswered or kept up to date.
    open_historical: int = 50
    #: Seconds in which an identical historical request is refused; bars of 30 s and smaller.
    identical_history_seconds: float = 15
    #: Historical requests for one contract, exchange and kind of price in two seconds; from the sixth on refused.
    history_per_contract: int = 6
    #: Historical requests in ten minutes; BID_ASK counts double.
    history_in_ten_minutes: int = 60
    #: Working orders for one contract, side and account.
    working_orders: int = 20
    account_summaries: int = 2
    #: A client that does not read its answers is cut off when this many bytes wait for it.
    unread_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningPosition:
    """A position that an account has from the start."""

    symbol: str
    quantity: Decimal
    #: What one unit cost, in the instrument's currency, without multiplier.
    cost: Decimal
    sec_type: str = "STK"
    currency: str = "USD"


_OPENING_POSITIONS = (
    OpeningPosition(symbol="AAPL", quantity=Decimal(100), cost=Decimal("151.20")),
    OpeningPosition(symbol="MSFT", quantity=Decimal(50), cost=Decimal("310.55")),
    OpeningPosition(symbol="SAP", quantity=Decimal(40), cost=Decimal("118.40"), currency="EUR"),
    OpeningPosition(symbol="TSLA", quantity=Decimal(-10), cost=Decimal("262.10")),
)


def _opening_cash() -> dict[str, Decimal]:
    return {"USD": Decimal(500_000), "EUR": Decimal(25_000)}


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """One simulated gateway. Every value has a default that suits a demo and most tests."""

    host: str = "127.0.0.1"
    #: 0 lets the machine choose; `SimulatedGateway.port` then says which.
    port: int = 0
    #: None for no control port; 0 lets the machine choose.
    control_port: int | None = None
    #: DU… and DF… are paper accounts, U… are live ones.
    accounts: tuple[str, ...] = ("DU1234567",)
    base_currency: str = "USD"
    opening_cash: Mapping[str, Decimal] = field(default_factory=_opening_cash)
    opening_positions: tuple[OpeningPosition, ...] = _OPENING_POSITIONS
    seed: int = 1
    #: The highest server version to negotiate, 157 to 178.
    server_version: int = HIGHEST_VERSION
    #: The API's own read-only mode: error 321 for orders.
    read_only: bool = False
    #: A file that keeps ids, orders, executions, accounts and ledger over restarts.
    state_file: Path | None = None
    limits: Limits = field(default_factory=Limits)
    #: Seconds between two beats: the market moves, orders are matched, streams send what changed.
    beat_seconds: float = 0.25
    #: Whether prices move by themselves. `Control.move_price` always works.
    market_moves: bool = True
    #: Whether orders outside the exchange's hours wait for its opening with warning 399.
    #: Without it every market trades at any time, so that a demo at night has fills.
    exchange_hours: bool = False
    #: Seconds until a snapshot ends although values are missing.
    snapshot_patience: float = 11
    #: Seconds between two account updates when nothing happens.
    account_refresh: float = 180
    #: Seconds between two P&L updates.
    pnl_refresh: float = 1
    #: Seconds between two updates of a bar that is kept up to date.
    live_bar_refresh: float = 5
    #: Seconds that a historical request takes.
    history_seconds: float = 0
    #: Precautionary total value of one order in base currency, error 451; None where precautions are bypassed.
    precaution_value: Decimal | None = Decimal(100_000)
    #: Precautionary distance of a limit price from the market in percent, error 109; None for no such precaution.
    precaution_percent: Decimal | None = None
    #: The client that also hears of all other clients' orders.
    master_client_id: int | None = None
    #: Base currency per unit, where the catalogue has no such currency pair.
    fallback_rates: Mapping[str, Decimal] = field(
        default_factory=lambda: {
            "EUR": Decimal("1.08"),
            "GBP": Decimal("1.27"),
            "CHF": Decimal("1.13"),
            "CAD": Decimal("0.73"),
            "JPY": Decimal("0.0066"),
            "AUD": Decimal("0.65"),
            "HKD": Decimal("0.128"),
        }
    )

    def __post_init__(self) -> None:
        if not LOWEST_VERSION <= self.server_version <= HIGHEST_VERSION:
            message = f"server_version is {LOWEST_VERSION} to {HIGHEST_VERSION}, not {self.server_version}"
            raise ValueError(message)
        if not self.accounts:
            message = "a gateway has at least one account"
            raise ValueError(message)
