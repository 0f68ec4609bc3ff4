"""What Redis holds in the situations that the page must tell apart."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared import json_text
from shared.audit import Audit, Decision
from shared.contract.order_records import OrderDetail
from shared.contract.orders import OrderState
from shared.contract.status import LinkState
from shared.history import History, LinkChange, Minute, this_minute
from shared.order_records import order_key
from shared.redis_keys import Keys
from shared.redis_store import Store
from tests.frontend.standin import worker_status

KEYS = Keys("main")


class Scene:
    """Writes what the worker would have written."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.history = History(store, KEYS)

    async def worker(self, *, running: bool = True, **changes: Any) -> None:
        """The worker's word, and whether its heart beats."""
        await self.store.set(KEYS.status, json_text.dumps(worker_status(**changes)))
        if running:
            await self.store.set(KEYS.heartbeat, "1", px=60_000)

    async def an_hour(self) -> None:
        """An hour of some work, with five minutes in which the worker was away."""
        now = this_minute()
        for ago in range(60):
            if 20 <= ago < 25:
                continue
            wave = (math.sin(ago / 5) + 1) / 2
            await self.history.put_minute(
                Minute(
                    minute=now - ago, queue_depth=round(wave * 7), calls=round(40 + wave * 300),
                    p50_ms=round(12 + wave * 30), p95_ms=round(60 + wave * 400), messages=round(200 + wave * 900),
                    messages_limit=2700, lines=round(20 + wave * 60), lines_limit=90,
                )
            )  # fmt: skip

    async def link_story(self) -> None:
        """Lost half an hour ago, and found again."""
        now = datetime.now(UTC)
        story = [
            (180, LinkState.READY, None),
            (34, LinkState.LINK_LOST, "the gateway lost IBKR's servers (1100)"),
            (31, LinkState.SYNCHRONISING, "reading positions, orders and executions"),
            (30, LinkState.READY, None),
        ]
        for minutes, link, detail in story:
            await self.history.put_change(LinkChange(at=now - timedelta(minutes=minutes), link=link, detail=detail))

    async def order(self, name: str, state: OrderState, **changes: Any) -> str:
        """An order of today with its audit entry; its key."""
        now = datetime.now(UTC)
        key = order_key("desk", name)
        blank: dict[str, Any] = dict.fromkeys(OrderDetail.model_fields)
        detail = blank | {
            "client_order_id": name, "status": state.value, "state": state, "account": "DU1234567", "symbol": "MSFT",
            "currency": "USD", "action": "BUY", "order_type": "LMT", "quantity": Decimal(100), "perm_id": 1234567890,
            "limit_price": Decimal("412.50"), "filled": Decimal(0), "remaining": Decimal(100), "warnings": [],
            "fills": [], "history": [], "may_resubmit": False, "next_step": "Wait.", "as_of": now,
        } | changes  # fmt: skip
        record = {"stage": "KNOWN", "caller": "desk", "client_order_id": name, "queued_ms": "0"}
        record["view"] = json_text.dumps(OrderDetail.model_validate(detail))
        for field, value in record.items():
            await self.store.set_field(KEYS.order(key), field, value)
        if state is OrderState.UNKNOWN:
            await self.store.set_field(KEYS.orders_unknown, key, "DU1234567 265598")
        decision = Decision(
            by="worker", caller="desk", operation="place_limit_order", request_id=name, arguments={},
            outcome=state.value, detail="", key=key,
        )  # fmt: skip
        await Audit(self.store, KEYS).write(decision)
        return key

    async def orders(self) -> None:
        """One of each kind but UNKNOWN."""
        await self.order("morning-1", OrderState.FILLED, filled=Decimal(100), avg_fill_price=Decimal("412.48"))
        await self.order("hedge-7", OrderState.WORKING, symbol="BRK B", action="SELL", order_type="STP",
                         limit_price=None, stop_price=Decimal(455))  # fmt: skip
        await self.order("slice-2", OrderState.PARTIALLY_FILLED, filled=Decimal(40), avg_fill_price=Decimal("412.4"))
        await self.order("too-big", OrderState.REJECTED, message="201: Order rejected - reason: insufficient margin "
                         "for account DU1234567")  # fmt: skip
        await self.order("changed-mind", OrderState.CANCELLED)
