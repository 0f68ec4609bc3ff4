"""One client_order_id is one order, whoever asks for it, however often, and whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPException
from itertools import count
from typing import Any

import pytest

from .doors import CLIENTS
from .house import Answer, House
from .processes import until

ORDER = {"symbol": "MSFT", "action": "BUY", "quantity": 2, "limit_price": 150}
LATE = 1.5
"""Seconds by which the gateway answers late, so that an order is under way for as long."""

_numbers = count(1)


@pytest.fixture
def order() -> dict[str, Any]:
    return {**ORDER, "client_order_id": f"one-order-{next(_numbers)}"}


@pytest.fixture
def others() -> Iterator[ThreadPoolExecutor]:
    """For a call that is not waited for; it ends with its frontend at the latest."""
    with ThreadPoolExecutor() as threads:
        yield threads


def placed(house: House, since: int) -> list[Answer]:
    return [entry for entry in house.ledger(since) if entry["kind"] == "place"]


def under_way(house: House, others: ThreadPoolExecutor, order: dict[str, Any], since: int) -> Future[Answer]:
    """The call of an order that has reached the gateway, which has not yet said so."""
    house.control("slow_down", seconds=LATE)
    call = others.submit(house.ask, "place_limit_order", order)
    until(lambda: placed(house, since), 5, "the order at the gateway")
    assert not call.done()
    return call


def listed(house: House, order: dict[str, Any], frontend: int) -> list[Answer]:
    items = house.ask("get_orders", frontend=frontend).get("items", [])
    return [one for one in items if one["client_order_id"] == order["client_order_id"]]


async def test_twenty_calls_at_once_over_both_frontends_are_one_order_with_one_answer(
    house: House, order: dict[str, Any]
) -> None:
    before = len(house.ledger())
    first, second = house.endpoints
    async with CLIENTS["fastmcp-modern"](first) as one, CLIENTS["python-sdk-handshake"](second) as two:
        calls = [door.call("place_limit_order", order) for _ in range(10) for door in (one, two)]
        answers = await asyncio.gather(*calls)
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].structured is not None
    assert answers[0].structured["state"] == "WORKING"
    (sent,) = placed(house, before)
    assert sent["perm_id"] == answers[0].structured["perm_id"]


def test_an_order_whose_frontend_died_is_found_by_its_name_through_the_other(
    house: House, others: ThreadPoolExecutor, order: dict[str, Any]
) -> None:
    before = len(house.ledger())
    lost = under_way(house, others, order, before)
    house.frontends[0].kill()
    house.control("slow_down", seconds=0)
    assert isinstance(lost.exception(5), ConnectionError | HTTPException)
    until(lambda: listed(house, order, 1), 5, "the order in get_orders of the other frontend")
    again = house.ask("place_limit_order", order, frontend=1)
    assert again["state"] == "WORKING"
    (found,) = listed(house, order, 1)
    assert found["perm_id"] == again["perm_id"]
    assert house.ask("cancel_order", {"order_id": order["client_order_id"]}, frontend=1)["status"] == "Cancelled"
    assert len(placed(house, before)) == 1


def test_an_order_whose_worker_died_is_never_sent_again(
    house: House, others: ThreadPoolExecutor, order: dict[str, Any]
) -> None:
    before = len(house.ledger())
    call = under_way(house, others, order, before)
    house.worker.kill()
    house.control("slow_down", seconds=0)
    house.worker.start()
    until(house.serves, 20, "the next worker")
    # The one who waits is told that the order's fate must be looked up, or already what it is; never to place it again.
    answer = call.result(20)
    assert answer.get("error") is None, answer
    assert answer["may_resubmit"] is False
    again = house.ask("place_limit_order", order, frontend=1)
    (sent,) = placed(house, before)
    assert (again["state"], again["perm_id"]) == ("WORKING", sent["perm_id"])


def test_the_same_name_for_another_order_is_refused_at_the_other_frontend(house: House, order: dict[str, Any]) -> None:
    before = len(house.ledger())
    assert house.ask("place_limit_order", order)["state"] == "WORKING"
    refused = house.ask("place_limit_order", {**order, "quantity": 3}, frontend=1)
    assert refused["error"].startswith("KEY_REUSED: ")
    assert len(placed(house, before)) == 1
