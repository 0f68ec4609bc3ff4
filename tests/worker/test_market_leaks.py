"""Prices on symbols that take turns leave nothing behind; many callers over few lines are answered or refused."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter

from shared.errors import BridgeError
from simulated_gateway import Limits

from .harness import Bridge, quiet_gateway

SYMBOLS = ["AAPL", "MSFT", "IBM", "TSLA", "AMZN", "NVDA"]


async def test_prices_on_rotating_symbols_leave_no_objects_behind() -> None:
    async with Bridge(max_market_data_lines=3) as bridge:

        async def rounds(count: int) -> int:
            for _ in range(count):
                for symbol in SYMBOLS:
                    await bridge.call("get_stock_price", symbol=symbol)
            await asyncio.sleep(0.1)
            gc.collect()
            return len(gc.get_objects())

        await rounds(3)
        before = await rounds(1)
        assert await rounds(6) - before < 400
        assert bridge.control.counters().most_lines == 3


async def test_many_callers_over_more_symbols_than_lines_are_answered_or_refused_in_words() -> None:
    gateway = quiet_gateway(limits=Limits(market_data_lines=4))
    async with Bridge(gateway, max_market_data_lines=4) as bridge:
        outcomes: Counter[str] = Counter()

        async def one(number: int) -> None:
            chance = random.Random(number)
            for _ in range(2):
                try:
                    await bridge.text("get_stock_price", symbol=chance.choice(SYMBOLS), seconds=8.0)
                    outcomes["answered"] += 1
                except BridgeError as error:
                    outcomes[error.code] += 1

        await asyncio.gather(*(one(number) for number in range(100)))
        assert outcomes.total() == 200
        assert outcomes.keys() <= {"answered", "BUSY", "TIMEOUT"}
        assert outcomes["answered"] > 100
        assert bridge.control.counters().most_lines <= 4
        assert not bridge.control.counters().violations
