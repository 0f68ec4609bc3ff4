"""A frontend without HTTP, in this process: what it enters, asks the worker, and tells from the records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mcp_frontend.callers import Caller
from mcp_frontend.calls import Calls
from mcp_frontend.rates import Rates
from mcp_frontend.sessions import Session
from mcp_frontend.status import RedisStatus
from shared.contract import OPERATIONS, Scope
from shared.order_records import OrderRecords, order_key
from tests.worker.harness import Bridge

LIMIT: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 10, "limit_price": 100}


class FrontDesk:
    """One caller's frontend on a bridge's Redis."""

    def __init__(self, bridge: Bridge, caller: str = "local") -> None:
        self.bridge = bridge
        self.caller = caller
        store = bridge.store()
        self.records = OrderRecords(store, bridge.keys)
        status = RedisStatus(store, bridge.keys, readonly=False)
        session = replace(Session.at(store, bridge.keys, b"", status), jobs=bridge.jobs)
        self.calls = Calls(
            session,
            lambda: Caller(name=self.caller, scopes=frozenset(Scope)),
            Rates(bridge.store(), bridge.keys),
            readonly=False,
        )
        self.said: list[str] = []

    async def ask(self, tool: str, **arguments: Any) -> Mapping[str, Any]:
        """The answer; raises the error an agent would read."""
        return dict(json.loads((await self.calls.answer(OPERATIONS[tool], arguments, self._say)).text))

    async def place(self, name: str, **changes: Any) -> Mapping[str, Any]:
        """Place the usual order under a name."""
        return await self.ask("place_limit_order", **LIMIT | {"client_order_id": name} | changes)

    async def story(self, handle: str) -> Mapping[str, Any]:
        """What get_order says."""
        return await self.ask("get_order", order=handle)

    async def field(self, name: str, field: str) -> str | None:
        """A field of a name's record."""
        stored = await self.records.get(order_key(self.caller, name))
        return stored.fields.get(field) if stored is not None else None

    async def _say(self, text: str) -> None:
        self.said.append(text)
