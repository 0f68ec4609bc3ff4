"""Callers that never rest: reads and orders through the load balancer, each call's fate written down."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

CALLERS = 6
PATIENCE = 40.0
_HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@dataclass
class Load:
    """What came of the calls so far."""

    url: str
    answered: int = 0
    refused: list[str] = field(default_factory=list)
    """Errors with a name, as an agent gets them."""
    lost: list[str] = field(default_factory=list)
    """Calls that got neither an answer nor such an error."""
    orders: dict[str, str] = field(default_factory=dict)
    """What the last call said of each order, by client_order_id."""
    _numbers: Any = field(default_factory=itertools.count)

    async def call(self, http: httpx2.AsyncClient, tool: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """A tool's answer; None where there was an error, noted."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        try:
            answer = await http.post(self.url, content=json.dumps(body), headers=_HEADERS)
        except httpx2.HTTPError as error:
            self.lost.append(f"{tool}: {type(error).__name__} {error}")
            return None
        if answer.status_code != 200:
            self.lost.append(f"{tool}: HTTP {answer.status_code} {answer.text[:200]}")
            return None
        result = answer.json()["result"]
        if result.get("isError"):
            self.refused.append(result["content"][0]["text"])
            return None
        self.answered += 1
        return dict(result["structuredContent"])

    async def _caller(self, http: httpx2.AsyncClient) -> None:
        for number in self._numbers:
            if number % 4:
                await self.call(http, ("get_positions", "get_status", "get_orders")[number % 3], {})
                continue
            name = f"load-{number}"
            terms = {
                "symbol": "MSFT",
                "action": "BUY",
                "quantity": 1 + number,
                "limit_price": 10,
                "client_order_id": name,
            }
            self.orders[name] = "nothing heard"
            for _ in range(3):  # as an agent would: again under the same name while it is not known what became of it
                told = await self.call(http, "place_limit_order", terms)
                self.orders[name] = str(told["state"]) if told else "refused"
                if told and told["state"] not in {"PENDING", "UNKNOWN"}:
                    break

    @asynccontextmanager
    async def going(self) -> AsyncIterator[Load]:
        """Under load until the block ends; calls under way then are awaited."""
        limits = httpx2.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
        async with httpx2.AsyncClient(limits=limits, timeout=PATIENCE) as http:
            callers = [asyncio.create_task(self._caller(http)) for _ in range(CALLERS)]
            try:
                yield self
            finally:
                for caller in callers:
                    caller.cancel()
                await asyncio.gather(*callers, return_exceptions=True)

    async def more(self, answers: int) -> None:
        """Return when so many more calls have been answered."""
        wanted = self.answered + answers
        async with asyncio.timeout(90):
            while self.answered < wanted:  # noqa: ASYNC110 - counted by tasks of this very loop
                await asyncio.sleep(0.05)
