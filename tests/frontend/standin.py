"""A worker without a gateway: the real queue and lease, and answers made from the contract's models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from shared.contract import OPERATIONS
from shared.contract.accounts import AccountAmount, AccountSummary, Position, ProfitAndLoss
from shared.contract.answers import Listing
from shared.contract.contracts import ContractCandidate, ContractInfo
from shared.contract.market_data import (
    DataKind,
    HistoricalBar,
    HistoricalBars,
    OptionChain,
    OptionChains,
    OptionQuotes,
    Quotes,
    StockPrice,
)
from shared.contract.order_answers import handle_answer, order_answer
from shared.contract.orders import CancelResult, ExecutionInfo, OrderInfo, OrderState
from shared.contract.status import LinkState, WorkerStatus
from shared.envelope import Envelope, error_text, result_text, unseal
from shared.errors import BridgeError
from shared.queue.job import Done, Job
from shared.queue.lanes import Lanes
from shared.queue.lease import Lease
from shared.queue.replies import message
from shared.queue.worker import JobWorker
from shared.redis_keys import Keys
from shared.redis_store import Store

NOON = datetime(2026, 11, 20, 17, 0, 0, tzinfo=UTC)
SECRET = "a secret of the tests"

Say = Callable[[str], Awaitable[None]]
Answer = Callable[[Envelope, Mapping[str, Any], Say], Awaitable[BaseModel | str]]
"""Answers one call: a model, or a raw answer text. It may raise a ``BridgeError``."""


def _amount(tag: str, value: str) -> AccountAmount:
    return AccountAmount(tag=tag, value=Decimal(value), currency="USD", account="DU1234567")


def _price(parsed: Mapping[str, Any]) -> StockPrice:
    return StockPrice(
        symbol=parsed["contract"].symbol or "AAPL",
        con_id=265598,
        bid=Decimal("187.10"),
        ask=Decimal("187.12"),
        last=None,
        close=Decimal("0.0000001"),
        volume=Decimal(1200),
        currency="USD",
        data_kind=DataKind.LIVE,
        timestamp=NOON,
        exchange_tz="America/New_York",
        note=parsed["contract"].note,
    )


def _bars(parsed: Mapping[str, Any]) -> HistoricalBars:
    bar = HistoricalBar(date=NOON, open=Decimal(1), high=Decimal(2), low=Decimal(1), close=Decimal("1.5"), volume=None)
    return HistoricalBars(
        items=[bar], count=1, truncated=False, next_cursor=None, as_of=NOON, symbol=parsed["contract"].symbol,
        con_id=265598, currency="USD", bar_size=parsed["bar_size"], what_to_show="TRADES", exchange_tz=None,
    )  # fmt: skip


def _chains(parsed: Mapping[str, Any]) -> OptionChains:
    chain = OptionChain(
        exchange="SMART", trading_class="AAPL", multipliers=[Decimal(100)], expirations=["2026-12-18"],
        strike_range=[Decimal(5), Decimal(400)], strikes=[],
    )  # fmt: skip
    return OptionChains(
        items=[chain], count=1, truncated=False, next_cursor=None, as_of=NOON, symbol=parsed["contract"].symbol,
        con_id=265598, currency="USD", underlying_price=None,
    )  # fmt: skip


def _placed(parsed: Mapping[str, Any]) -> BaseModel:
    return order_answer(
        parsed, state=OrderState.WORKING, message="resting", may_resubmit=False, next_step="Wait.", order_id=7
    )


_POSITION = Position(
    account="DU1234567", symbol="AAPL", local_symbol="AAPL", sec_type="STK", exchange="NASDAQ", currency="USD",
    con_id=265598, multiplier=None,
    quantity=Decimal(10), avg_cost=Decimal("150.25"), market_price=None, market_value=None, unrealized_pnl=None,
    realized_pnl=None, as_of=NOON,
)  # fmt: skip
_ORDER = OrderInfo(
    order_id=7, perm_id=1234567890, client_order_id="mine-1", client_id=1, account="DU1234567", symbol="AAPL",
    local_symbol="AAPL", sec_type="STK", con_id=265598, currency="USD", action="BUY", order_type="LMT",
    total_quantity=Decimal(5),
    limit_price=Decimal("101.5"), stop_price=None, tif="DAY", outside_rth=False, status="Submitted",
    state=OrderState.WORKING, filled=Decimal(0), remaining=Decimal(5), avg_fill_price=None, message=None, warnings=[],
)  # fmt: skip
_EXECUTION = ExecutionInfo(
    exec_id="0000e0d5.6b031341.0001.01", time=NOON, account="DU1234567", symbol="AAPL", sec_type="STK", con_id=265598,
    local_symbol="AAPL", action="BUY", quantity=Decimal(5), price=Decimal("101.5"), currency="USD", commission=None,
    commission_currency=None, order_id=7, perm_id=1234567890, client_order_id="mine-1",
)  # fmt: skip
_CANDIDATE = ContractCandidate(
    con_id=265598, symbol="AAPL", description="APPLE INC", sec_type="STK", primary_exchange="NASDAQ", currency="USD",
    derivative_sec_types=["OPT"],
)  # fmt: skip

_EMPTY: dict[str, Any] = {"items": [], "count": 0, "truncated": False, "next_cursor": None, "as_of": NOON}

ANSWERS: dict[str, Callable[[Mapping[str, Any]], BaseModel]] = {
    "get_account_summary": lambda _: AccountSummary(
        account="DU1234567", base_currency="USD", net_liquidation=_amount("NetLiquidation", "1000000.10"),
        cash_balance=None, total_cash_value=None, buying_power=None, available_funds=None,
        excess_liquidity=None, initial_margin=None, maintenance_margin=None, gross_position_value=None,
        cash_by_currency=[_amount("CashBalance", "12.5")], as_of=NOON,
    ),
    "get_positions": lambda _: Listing[Position].page([_POSITION], cursor=None, as_of=NOON),
    "get_orders": lambda _: Listing[OrderInfo].page([_ORDER], cursor=None, as_of=NOON),
    "get_stock_price": _price,
    "get_historical_data": _bars,
    "get_option_chain": _chains,
    "get_quotes": lambda _: Quotes(**_EMPTY, failed=[], missing_subscriptions=[]),
    "get_option_quotes": lambda _: OptionQuotes(
        **_EMPTY, symbol="AAPL", expiration="2026-12-18", trading_class="AAPL", multiplier=Decimal(100),
        currency="USD", underlying_price=None, failed=[], missing_subscriptions=[],
    ),
    "get_contract_details": lambda _: Listing[ContractInfo].page([], cursor=None, as_of=NOON),
    "get_pnl": lambda _: ProfitAndLoss(**_EMPTY, accounts=[]),
    "place_limit_order": _placed,
    "place_market_order": _placed,
    "place_stop_order": _placed,
    "cancel_order": lambda _: CancelResult(
        state=OrderState.CANCELLED, filled=Decimal(0), remaining=Decimal(10), next_step="Nothing.",
        order_id=7, perm_id=None, client_order_id=None, status="Cancelled", message=None
    ),
    "modify_order": lambda parsed: handle_answer(
        parsed, state=OrderState.WORKING, message="resting", next_step="Wait."
    ),
    "get_executions": lambda _: Listing[ExecutionInfo].page([_EXECUTION], cursor=None, as_of=NOON),
    "search_contracts": lambda _: Listing[ContractCandidate].page([_CANDIDATE], cursor=None, as_of=NOON),
}  # fmt: skip
"""One answer for each tool a worker serves."""


async def usual(envelope: Envelope, parsed: Mapping[str, Any], _: Say) -> BaseModel:
    """The usual answer of each tool."""
    return ANSWERS[envelope.operation](parsed)


@dataclass
class StandInWorker:
    """What tests see and set of the running stand-in."""

    store: Store
    keys: Keys
    answer: Answer = usual
    envelopes: list[Envelope] = field(default_factory=list)
    """Every job it ran, in order."""
    began: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, job: Job) -> Done:
        envelope = unseal(job.body, job.signature, SECRET.encode())
        self.envelopes.append(envelope)
        self.began.set()

        async def say(text: str) -> None:
            await job.progress(envelope.reply_to, message("P", job.id, text))

        try:
            parsed = OPERATIONS[envelope.operation].parse(envelope.arguments)
            answer = await self.answer(envelope, parsed, say)
        except BridgeError as error:
            return Done(error_text(error), envelope.reply_to)
        return Done(answer if isinstance(answer, str) else result_text(answer), envelope.reply_to)


@asynccontextmanager
async def stand_in_worker(redis_url: str, *, slots: int = 64, trade_slots: int = 16) -> AsyncIterator[StandInWorker]:
    """A worker that serves until the block ends."""
    store, keys = Store.at(redis_url), Keys("main")
    lease = Lease(store, keys, "stand-in")
    stand_in = StandInWorker(store, keys)
    worker = JobWorker(store, keys, lease, stand_in.run, Lanes(slots=slots, trade_slots=trade_slots))
    tasks = [asyncio.create_task(work) for work in (lease.keep(), worker.run(), worker.answers.keep())]
    try:
        await lease.held()
        reconciled = store.script("return redis.call('HSET', KEYS[1], 'id', 'reconciled')")
        await reconciled(keys=[keys.sentinel], args=[])
        yield stand_in
        await worker.drain(0.1)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        await store.close()


def worker_status(**changes: Any) -> WorkerStatus:
    """A worker's word, ready on paper, with changes."""
    now = datetime.now(UTC)
    usual_word = {
        "version": "0.1.0", "heartbeat": now, "link": LinkState.READY, "link_since": now, "link_detail": None,
        "gateway_version": 178, "trading_mode": "paper", "readonly": False, "read_only_api": False,
        "accounts": ["DU1234567"], "data_kind": None, "competing_session": False, "next_restart": None,
        "redis_durability": "durable",
    }  # fmt: skip
    return WorkerStatus.model_validate(usual_word | changes)
