"""The gateway's message limit is never broken, and what is urgent does not wait behind what is not."""

from __future__ import annotations

import asyncio

from shared.contract.orders import OrderState

from .harness import Bridge, until

SYMBOLS = [
    "AAPL",
    "MSFT",
    "IBM",
    "TSLA",
    "AMZN",
    "NVDA",
    "GOOG",
    "GOOGL",
    "META",
    "NFLX",
    "AMD",
    "INTC",
    "CSCO",
    "ORCL",
    "KO",
    "JPM",
    "XOM",
    "JNJ",
    "SPY",
    "QQQ",
    "IWM",
    "F",
    "T",
]


async def test_a_burst_of_questions_breaks_no_limit(bridge: Bridge) -> None:
    questions = [bridge.text("get_stock_price", symbol=symbol) for symbol in SYMBOLS]
    questions += [bridge.text("search_contracts", pattern=f"A{number}") for number in range(40)]
    answers = await asyncio.gather(*questions)
    assert len(answers) == len(SYMBOLS) + 40
    counters = bridge.control.counters()
    assert counters.most_messages_per_second <= 50
    assert counters.violations == {}


async def test_an_order_and_its_cancel_overtake_the_questions_that_wait() -> None:
    async with Bridge(max_messages_per_second=10) as bridge:
        await bridge.call("get_stock_price", symbol="AAPL")  # the contract is known
        before = bridge.control.counters().received["reqMatchingSymbols"]
        waiting = [
            asyncio.create_task(bridge.text("search_contracts", pattern=f"A{number}", seconds=3.0))
            for number in range(40)
        ]
        await until(lambda: bridge.control.counters().received["reqMatchingSymbols"] > before)
        answer = await bridge.call(
            "place_limit_order", symbol="AAPL", action="BUY", quantity=1, limit_price=100, client_order_id="k"
        )
        cancelled = await bridge.call("cancel_order", order_id="k")
        assert (answer.state, cancelled.status) == (OrderState.WORKING, "Cancelled")
        assert sum(not task.done() for task in waiting) > 10
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert bridge.control.counters().violations == {}


async def test_questions_past_the_budget_are_answered_or_time_out_and_orders_still_work() -> None:
    async with Bridge(max_messages_per_second=10) as bridge:
        asked = [bridge.text("search_contracts", pattern=f"A{number}", seconds=1.0) for number in range(60)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        codes = {getattr(outcome, "code", "answered") for outcome in outcomes}
        assert codes <= {"answered", "TIMEOUT"}
        answer = await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=1, limit_price=100)
        assert answer.state is OrderState.WORKING
        assert bridge.control.counters().violations == {}
