"""The doctor's ears at the gateway: every message of one socket comes here, and few of them matter."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from broker_worker.gateway import errors

if TYPE_CHECKING:
    from ib_async import CommissionReport, Contract, Execution, Order, OrderState


class Visitor:
    """Listens to one socket for what the doctor wants to know, and lets the rest pass."""

    def __init__(self) -> None:
        self.notices: list[tuple[int, str]] = []
        self.data_kind: int | None = None
        self.data_error: tuple[int, str] | None = None
        self.data_seen = asyncio.Event()
        self.refused = asyncio.Event()
        """The gateway said that its API is read-only."""
        self.closed = asyncio.Event()

    def on_notice(self, code: int, text: str) -> None:
        """A message that names no request."""
        self.notices.append((code, text))
        if code == errors.READ_ONLY_OR_INVALID and "read-only" in text.lower():
            self.refused.set()

    def on_closed(self) -> None:
        """The socket is gone."""
        self.closed.set()

    def synchronise_again(self, why: str) -> None:
        """Nothing is kept."""

    def on_data_kind(self, request: int, kind: int) -> None:
        """Which kind of data the probe gets."""
        self.data_kind = kind

    def on_price(self, request: int, tick: int, price: float, size: float) -> None:
        """The probe gets data."""
        self.data_seen.set()

    def on_quote_error(self, request: int, code: int, text: str) -> bool:
        """Why the probe gets none, or not live ones."""
        if code != errors.DELAYED_FOLLOWS:
            self.data_error = (code, text)
            self.data_seen.set()
        return True

    def on_order_error(self, order_id: int, code: int, text: str) -> bool:
        """No order is asked about."""
        return False

    def on_size(self, request: int, tick: int, size: float) -> None:
        """Not asked about."""

    def on_last_trade(self, request: int, seconds: str) -> None:
        """Not asked about."""

    def on_greeks(
        self, request: int, volatility: float, delta: float, gamma: float, vega: float, theta: float, price: float
    ) -> None:
        """Not asked about."""

    def on_farm(self, code: int, text: str) -> None:
        """Not asked about."""

    def on_position(self, account: str, contract: Contract, quantity: float, average_cost: float) -> None:
        """Not asked about."""

    def on_pnl(self, request: int, daily: float, unrealized: float, realized: float, value: float) -> None:
        """Not asked about."""

    def on_account_pnl(self, request: int, daily: float, unrealized: float, realized: float) -> None:
        """Not asked about."""

    def on_open_order(self, contract: Contract, order: Order, state: OrderState) -> None:
        """Not asked about."""

    def on_status(
        self, order_id: int, status: str, filled: float, remaining: float, average: float, perm_id: int, client_id: int
    ) -> None:
        """Not asked about."""

    def on_execution(self, contract: Contract, execution: Execution) -> None:
        """Not asked about."""

    def on_commission(self, report: CommissionReport) -> None:
        """Not asked about."""

    def on_completed(self, contract: Contract, order: Order, state: OrderState) -> None:
        """Not asked about."""
