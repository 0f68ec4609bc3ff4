"""The gateway's message limit is never broken, and what is urgent does not wait behind what is not."""

from __future__ import annotations

import asyncio
import time

from broker_worker.gateway.budget import Lane, MessageBudget
from shared.contract.orders import OrderState
from shared.errors import Busy

from .harness import PATIENCE, Bridge, until

SYMBOLS = [
    "AAPL", "MSFT", "IBM", "TSLA", "AMZN", "NVDA", "GOOG", "GOOGL", "META", "NFLX", "AMD", "INTC", "CSCO", "ORCL", "KO",
    "JPM", "XOM", "JNJ", "SPY", "QQQ", "IWM", "F", "T",
]  # fmt: skip


async def _send(budget: MessageBudget, lane: Lane, sent: list[tuple[float, Lane]]) -> None:
    await budget.acquire(lane)
    sent.append((asyncio.get_running_loop().time(), lane))


def _most_in_a_second(sent: list[tuple[float, Lane]]) -> int:
    times = sorted(moment for moment, _ in sent)
    return max(sum(0 <= other - moment < 1.0 for other in times) for moment in times)


async def test_no_second_holds_more_than_the_budget() -> None:
    budget, sent = MessageBudget(10, reserve=2), list[tuple[float, Lane]]()
    await asyncio.gather(*(_send(budget, Lane.QUOTE, sent) for _ in range(20)))
    assert len(sent) == 20
    assert _most_in_a_second(sent) <= 8


async def test_a_loop_that_was_busy_does_not_bunch_what_it_sends() -> None:
    budget, sent = MessageBudget(10, reserve=2), list[tuple[float, Lane]]()

    async def send(number: int) -> None:
        await _send(budget, Lane.QUOTE, sent)
        if number == 8:
            time.sleep(0.6)  # noqa: ASYNC251 - the loop is busy: who was granted with this one runs late

    await asyncio.gather(*(send(number) for number in range(24)))
    assert _most_in_a_second(sent) <= 8


async def test_the_reserve_is_for_orders_and_cancels_and_cancels_go_first() -> None:
    budget, sent = MessageBudget(5, reserve=2), list[tuple[float, Lane]]()
    lanes = [Lane.HISTORY] * 5 + [Lane.QUOTE] * 2 + [Lane.ORDER] * 2 + [Lane.CANCEL]
    asking = [asyncio.create_task(_send(budget, lane, sent)) for lane in lanes]
    await until(lambda: len(sent) == 5)
    assert sorted(lane for _, lane in sent) == [Lane.ORDER, Lane.ORDER, Lane.QUOTE, Lane.QUOTE, Lane.HISTORY]
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


async def test_whoever_gives_up_takes_no_place() -> None:
    budget, sent = MessageBudget(5, reserve=0), list[tuple[float, Lane]]()
    asking = [asyncio.create_task(_send(budget, Lane.ORDER, sent)) for _ in range(50)]
    await until(lambda: len(sent) == 5)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    async with asyncio.timeout(PATIENCE):
        await _send(budget, Lane.HISTORY, sent)
    assert len(sent) == 6


async def test_a_burst_of_questions_is_answered_on_the_one_connection(bridge: Bridge) -> None:
    connection = bridge.control.connections()[0].name
    questions = [bridge.text("get_stock_price", symbol=symbol) for symbol in SYMBOLS]
    questions += [bridge.text("search_contracts", pattern=f"A{number}") for number in range(40)]
    answers = await asyncio.gather(*questions)
    assert len(answers) == len(SYMBOLS) + 40
    assert [client.name for client in bridge.control.connections()] == [connection]


async def test_an_order_and_its_cancel_overtake_the_questions_that_wait() -> None:
    async with Bridge(max_messages_per_second=10) as bridge:
        await bridge.call("get_stock_price", symbol="AAPL")  # the contract is known
        before = bridge.control.counters().received["reqMatchingSymbols"]
        waiting = [
            asyncio.create_task(bridge.text("search_contracts", pattern=f"A{number}", seconds=10.0))
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


async def test_questions_past_the_budget_are_answered_or_time_out_and_orders_still_work() -> None:
    async with Bridge(max_messages_per_second=10) as bridge:
        asked = [bridge.text("search_contracts", pattern=f"A{number}", seconds=1.0) for number in range(60)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        codes = {getattr(outcome, "code", "answered") for outcome in outcomes}
        assert codes <= {"answered", "TIMEOUT", "BUSY"}
        answer = await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=1, limit_price=100)
        assert answer.state is OrderState.WORKING


async def test_place_and_wait_are_told_beforehand_and_come_true() -> None:
    budget, sent = MessageBudget(10, reserve=2), list[tuple[float, Lane]]()
    asking = [asyncio.create_task(_send(budget, Lane.QUOTE, sent)) for _ in range(20)]
    await until(lambda: len(sent) == 8)
    ahead, wait = budget.expected(Lane.QUOTE)
    assert ahead == 12
    assert budget.expected(Lane.ORDER) == (0, 0.0)  # its reserve is free
    assert budget.expected(Lane.HISTORY)[0] == ahead
    loop = asyncio.get_running_loop()
    asked = loop.time()
    await _send(budget, Lane.QUOTE, sent)
    assert 0.5 * wait <= loop.time() - asked  # a busy machine is late, never early
    await asyncio.gather(*asking)


async def test_who_would_wait_too_long_is_refused_at_once_with_the_time_it_would_take() -> None:
    async with Bridge(max_messages_per_second=10) as bridge:
        asked = [bridge.text("search_contracts", pattern=f"A{number}", seconds=2.0) for number in range(60)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, Busy)]
        assert len(refused) > 30
        assert all("turn at the gateway" in error.fact and error.retry.startswith("after ") for error in refused)
        assert not bridge.control.counters().violations


async def test_who_waits_is_told_its_place() -> None:
    async with Bridge(max_messages_per_second=10) as bridge:
        told: list[str] = []

        async def listen(text: str) -> None:
            told.append(text)

        others = [
            asyncio.create_task(bridge.text("search_contracts", pattern=f"A{n}", seconds=10.0)) for n in range(20)
        ]
        await until(lambda: bridge.control.counters().received["reqMatchingSymbols"] > 3)
        await bridge.text("search_contracts", pattern="MSFT", seconds=10.0, progress=listen)
        assert any("before this one" in text for text in told)
        await asyncio.gather(*others)


async def test_an_order_in_a_flood_of_history_is_overtaken_by_two_messages_at_most() -> None:
    budget, sent = MessageBudget(45, reserve=5), list[tuple[float, Lane]]()
    flood = [asyncio.create_task(_send(budget, Lane.HISTORY, sent)) for _ in range(5_000)]
    await until(lambda: len(sent) > 40)
    overtaken: list[int] = []
    for number in range(20):
        before = len(sent)
        await _send(budget, Lane.CANCEL if number % 2 else Lane.ORDER, sent)
        overtaken.append(sum(lane > Lane.ORDER for _, lane in sent[before:]))
        await asyncio.sleep(0.03)
    assert max(overtaken) <= 2
    assert _most_in_a_second(sent) <= 45
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)
