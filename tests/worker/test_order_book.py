"""What an order's state follows from: messages twice, late, in any sequence, or that inform and end nothing."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from ib_async import CommissionReport, Contract, Execution, Order
from ib_async import OrderState as GatewayState

from broker_worker.orders import answers
from broker_worker.orders.book import OrderBook
from broker_worker.orders.record import OrderRecord
from shared.contract.orders import OrderState

REF = "mcp-aaaaaaaaaaaaaaaaaaaaaaaaaa"
CONTRACT = Contract(conId=265598, symbol="AAPL", secType="STK", currency="USD")
NOON = datetime(2025, 11, 19, 17, 0, tzinfo=UTC)


def book_with_one(**changes: Any) -> tuple[OrderBook, OrderRecord]:
    """A book in which one of ours, 10 AAPL at 100, number 7, was just sent."""
    book = OrderBook(client_id=1, read_only_api=False)
    terms: dict[str, Any] = {
        "ref": REF, "account": "DU1234567", "con_id": 265598, "symbol": "AAPL", "sec_type": "STK", "currency": "USD",
        "action": "BUY", "order_type": "LMT", "quantity": Decimal(10), "limit_price": Decimal(100), "stop_price": None,
        "tif": "DAY", "outside_rth": False, "client_id": 1, "order_id": 7,
    }  # fmt: skip
    record = OrderRecord(**terms | changes)
    book.expect(record)
    return book, record


def opened(book: OrderBook, status: str, perm_id: int = 100, quantity: float = 10.0, ref: str = REF) -> None:
    order = Order(
        orderId=7, clientId=1, permId=perm_id, action="BUY", totalQuantity=quantity, orderType="LMT", lmtPrice=100.0,
        orderRef=ref, account="DU1234567", tif="DAY",
    )  # fmt: skip
    book.on_open_order(CONTRACT, order, GatewayState(status=status))


def status(book: OrderBook, word: str, filled: float = 0.0, perm_id: int = 100) -> None:
    book.on_status(7, word, filled, 10.0 - filled, 99.0 if filled else 0.0, perm_id, 1)


def execution(book: OrderBook, exec_id: str, shares: float, price: float = 99.0, perm_id: int = 100) -> None:
    book.on_execution(
        CONTRACT,
        Execution(
            execId=exec_id, time=NOON, acctNumber="DU1234567", side="BOT", shares=shares, price=price, permId=perm_id,
            clientId=1, orderId=7, orderRef=REF,
        ),
    )  # fmt: skip


def commission(book: OrderBook, exec_id: str, amount: float = 1.0) -> None:
    book.on_commission(CommissionReport(execId=exec_id, commission=amount, currency="USD"))


WHOLE_LIFE: list[Callable[[OrderBook], None]] = [
    lambda book: opened(book, "PreSubmitted"),
    lambda book: status(book, "Submitted"),
    lambda book: status(book, "Submitted", 4),
    lambda book: execution(book, "e.1.01", 4),
    lambda book: execution(book, "e.2.01", 6, 100.0),
    lambda book: status(book, "Filled", 10),
    lambda book: opened(book, "Filled"),
]
"""A life in two fills."""


@pytest.mark.parametrize("seed", range(40))
def test_a_life_in_any_sequence_and_with_any_repeats_ends_as_it_does_in_order(seed: int) -> None:
    book, record = book_with_one()
    shuffled = random.Random(seed)
    messages = WHOLE_LIFE + shuffled.choices(WHOLE_LIFE, k=5)
    shuffled.shuffle(messages)
    for message in messages:
        message(book)
    commission(book, "e.1.01")
    commission(book, "e.2.01")
    commission(book, "e.2.01")
    assert (record.state, record.filled, record.remaining) == (OrderState.FILLED, 10, 0)
    assert {stem: fill.quantity for stem, fill in record.fills.items()} == {"e.1": 4, "e.2": 6}
    assert [fill.commission for fill in record.fills.values()] == [1, 1]
    assert list(book) == [record]
    assert record.perm_ids == {100}


def test_executions_alone_fill_an_order_without_a_word_of_its_status() -> None:
    book, record = book_with_one()
    execution(book, "e.1.01", 4)
    assert (record.state, record.acknowledged) == (OrderState.PARTIALLY_FILLED, True)
    execution(book, "e.2.01", 6, 100.0)
    assert (record.state, record.average) == (OrderState.FILLED, Decimal("99.6"))


def test_a_commission_that_comes_before_its_fill_is_told_again_with_the_days_list() -> None:
    book, record = book_with_one()
    commission(book, "e.1.01")
    execution(book, "e.1.01", 4)
    assert record.fills["e.1"].commission is None
    execution(book, "e.1.01", 4)
    commission(book, "e.1.01", 1.25)
    assert (record.fills["e.1"].commission, record.fills["e.1"].commission_currency) == (Decimal("1.25"), "USD")


def test_an_absent_commission_is_null_and_never_a_number() -> None:
    book, record = book_with_one()
    execution(book, "e.1.01", 4)
    commission(book, "e.1.01", 1.7976931348623157e308)
    assert record.fills["e.1"].commission is None


def test_a_correction_replaces_its_fill_and_an_older_one_does_not() -> None:
    book, record = book_with_one()
    execution(book, "e.1.01", 4, 99.0)
    execution(book, "e.1.02", 4, 98.5)
    execution(book, "e.1.01", 4, 99.0)
    assert [(fill.quantity, fill.price) for fill in record.fills.values()] == [(4, Decimal("98.5"))]
    assert (record.filled, record.average) == (4, Decimal("98.5"))


@pytest.mark.parametrize("end", ["Cancelled", "ApiCancelled", "Inactive", "Filled"])
@pytest.mark.parametrize("late", ["PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel", "ApiPending"])
def test_a_late_word_brings_no_finished_order_back(end: str, late: str) -> None:
    book, record = book_with_one()
    status(book, "Submitted")
    status(book, end, 10 if end == "Filled" else 0)
    state = record.state
    assert state.final
    status(book, late)
    opened(book, late)
    assert record.state is state


def test_a_fill_after_the_cancellation_is_shown_and_the_order_stays_over() -> None:
    book, record = book_with_one()
    status(book, "Submitted")
    status(book, "Cancelled")
    execution(book, "e.1.01", 4)
    assert (record.state, record.filled) == (OrderState.CANCELLED, 4)
    assert answers.may_resubmit(record) is False
    execution(book, "e.2.01", 6)
    assert record.state is OrderState.FILLED


def test_an_overfill_is_told_as_it_is() -> None:
    book, record = book_with_one()
    status(book, "Cancelled")
    execution(book, "e.1.01", 12)
    assert (record.state, record.filled, record.remaining) == (OrderState.FILLED, 12, 0)
    told = answers.detail(record, "k")
    assert (told.filled, told.quantity, told.may_resubmit) == (12, 10, False)


@pytest.mark.parametrize("code", [399, 404, 2109, 10349, 10311, 10090, 99999])
@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_remark_ends_no_order(code: int, acknowledged: bool) -> None:
    book, record = book_with_one()
    if acknowledged:
        status(book, "Submitted")
    assert book.on_order_error(7, code, "Something about the order")
    assert record.state is (OrderState.WORKING if acknowledged else OrderState.PENDING)
    assert record.refusal is None
    assert record.warnings == [f"Something about the order (gateway code {code})"]
    execution(book, "e.1.01", 10)
    assert record.state is OrderState.FILLED


@pytest.mark.parametrize("code", [103, 104, 105, 110, 321, 435, 451, 10243])
def test_a_refusal_of_a_new_order_ends_it_and_of_one_that_works_is_a_remark(code: int) -> None:
    book, record = book_with_one()
    book.on_order_error(7, code, "No<br>way")
    assert (record.state, record.refusal) == (OrderState.REJECTED, "No way")
    book, record = book_with_one()
    status(book, "Submitted")
    book.on_order_error(7, code, "No")
    assert (record.state, record.refusal) == (OrderState.WORKING, None)


def test_a_refusal_that_the_gateway_contradicts_was_none() -> None:
    book, record = book_with_one()
    book.on_order_error(7, 201, "Order rejected")
    assert record.state is OrderState.REJECTED
    status(book, "Submitted")
    assert record.state is OrderState.WORKING


def test_a_lost_order_is_believed_again_when_the_gateway_shows_it() -> None:
    shows: list[Callable[[OrderBook], None]] = [
        lambda book: status(book, "Submitted"),
        lambda book: opened(book, "Submitted"),
        lambda book: execution(book, "e.1.01", 4),
    ]
    for show in shows:
        book, record = book_with_one()
        record.lost = True
        assert record.state is OrderState.UNKNOWN
        show(book)
        assert record.state in {OrderState.WORKING, OrderState.PARTIALLY_FILLED}


def test_two_permanent_ids_of_one_order_are_one_order() -> None:
    book, record = book_with_one()
    opened(book, "Submitted", perm_id=100)
    opened(book, "Submitted", perm_id=200, quantity=12.0)  # a modification
    status(book, "Submitted", perm_id=100)
    execution(book, "e.1.01", 4, perm_id=100)
    execution(book, "e.2.01", 8, perm_id=200)
    assert list(book) == [record]
    assert book.by_perm(100) is book.by_perm(200) is record
    assert (record.perm_id, record.quantity, record.state) == (200, 12, OrderState.FILLED)
    assert set(answers.names(record)) == {"perm:100", "perm:200", "id:7"}


def test_a_number_given_out_again_means_the_newer_order() -> None:
    book, record = book_with_one()
    opened(book, "Submitted", perm_id=100)
    other = "mcp-bbbbbbbbbbbbbbbbbbbbbbbbbb"
    order = Order(orderId=7, clientId=1, permId=300, action="SELL", totalQuantity=3.0, orderType="MKT", orderRef=other)
    book.on_open_order(CONTRACT, order, GatewayState(status="Submitted"))
    newer = book.by_ref(other)
    assert newer is not None
    assert newer is not record
    assert not book.has_number(record)
    assert book.has_number(newer)
    book.on_order_error(7, 201, "No margin")
    assert (newer.state, record.state) == (OrderState.REJECTED, OrderState.WORKING)
    assert sorted(book.by_order_id(7), key=lambda found: found.perm_id or 0) == [record, newer]
    assert book.highest_number == 7


def test_an_order_entered_by_hand_is_never_taken_for_ours() -> None:
    book, record = book_with_one()
    by_hand = Order(orderId=0, clientId=0, permId=500, action="BUY", totalQuantity=10.0, orderType="LMT", lmtPrice=100)
    book.on_open_order(CONTRACT, by_hand, GatewayState(status="Submitted"))
    other_client = Order(orderId=7, clientId=9, permId=600, action="BUY", totalQuantity=10.0, orderType="LMT")
    book.on_open_order(CONTRACT, other_client, GatewayState(status="Submitted"))
    book.on_status(7, "Filled", 10.0, 0.0, 99.0, 600, 9)
    assert record.state is OrderState.PENDING
    assert (record.perm_ids, record.acknowledged) == (set(), False)
    found = [book.by_perm(500), book.by_perm(600)]
    assert [one.state for one in found if one is not None] == [OrderState.WORKING, OrderState.FILLED]
    assert len(list(book)) == 3


def test_a_status_of_nobodys_order_makes_none() -> None:
    book = OrderBook(client_id=1, read_only_api=False)
    book.on_status(9, "Filled", 1.0, 0.0, 1.0, 900, 3)
    commission(book, "never.seen.01")
    assert not book.on_order_error(9, 201, "No")
    assert list(book) == []


@pytest.mark.parametrize(
    "words",
    list(itertools.permutations(["Submitted", "PendingCancel", "Cancelled"])),
    ids=">".join,
)
def test_a_cancellation_in_any_sequence_ends_cancelled(words: tuple[str, ...]) -> None:
    book, record = book_with_one()
    for word in words:
        status(book, word)
    book.on_order_error(7, 202, "Order Canceled - reason:")
    assert record.state is OrderState.CANCELLED
    assert answers.may_resubmit(record) is True


def test_a_what_if_is_no_order() -> None:
    book = OrderBook(client_id=1, read_only_api=False)
    order = Order(orderId=8, clientId=1, permId=0, totalQuantity=1.0, orderType="MKT", whatIf=True)
    book.on_open_order(CONTRACT, order, GatewayState(status="PreSubmitted"))
    assert list(book) == []
