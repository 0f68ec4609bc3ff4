"""Schedules that failed once, at their shortest. What each of them showed is told by its test's name."""

from __future__ import annotations

from typing import Any

import pytest

from .play import play
from .schedules import Schedule, Step

pytestmark = pytest.mark.timeout(300)


def call(t: float, caller: str, tool: str, **arguments: Any) -> Step:
    """A call by the second frontend."""
    return {"t": t, "do": "call", "frontend": "f2", "caller": caller, "tool": tool, "arguments": arguments}


def test_a_repeated_call_has_its_entry_though_the_worker_died_right_after_the_answer_and_redis_was_slow() -> None:
    order: dict[str, Any] = {
        "client_order_id": "k1", "symbol": "MSFT", "action": "BUY", "quantity": 5, "limit_price": 150,
    }  # fmt: skip
    steps = (
        call(5.3, "bob", "place_limit_order", **order),
        {"t": 5.653, "do": "redis", "what": "slow", "late": 0.546, "seconds": 4.3},
        {"t": 5.666, "do": "gateway", "what": "restart", "seconds": 1.6, "roll_back": 3},
        {"t": 5.7, "do": "kill_after", "who": "w1", "steps": 156, "back": 3.8, "ghost": 0.0},
        call(5.7, "bob", "place_limit_order", **order),
        call(6.4, "bob", "cancel_order", order_id="k1") | {"frontend": "f1"},
    )
    assert play(Schedule("1650", one_folder=False, steps=steps)).wrong == []


def test_a_key_used_for_another_order_is_refused_where_only_the_gateway_still_knows_the_first() -> None:
    order: dict[str, Any] = {"client_order_id": "k1", "symbol": "IBM", "action": "BUY", "limit_price": 450}
    steps = (
        call(7.0, "bob", "place_limit_order", **order, quantity=3),
        {"t": 7.3, "do": "redis", "what": "wipe"},
        call(14.6, "bob", "place_limit_order", **order, quantity=4),
    )
    assert play(Schedule("3730", workers=2, one_folder=False, steps=steps)).wrong == []


LAST_SECONDS = "2025-11-20T04:59:45+00:00"
"""Fifteen before the exchange's midnight."""
AWAY: Step = {"t": 7.3, "do": "gateway", "what": "restart", "seconds": 8.3, "roll_back": 0}
"""The gateway, until after midnight: then it no longer tells of the day before."""
KILLED: Step = {"t": 7.4, "do": "kill", "who": "w1", "back": 8.3, "ghost": 0.0}
"""The worker: it remembers nothing of what the gateway said."""


@pytest.mark.parametrize(
    ("prices", "what", "also"),
    [
        pytest.param((78, 79), "fill_all", (), id="both fill"),
        pytest.param((78, 79), "cancel_all", (KILLED,), id="both end, and the worker dies too"),
        pytest.param((78, 450), "fill_all", (KILLED,), id="the first fills after the second, and the worker dies too"),
        pytest.param((450, 78), "cancel_all", (), id="the second ends after the first has filled"),
    ],
)
def test_orders_of_one_contract_that_end_unseen_over_midnight_are_told_by_what_the_position_moved_in_all(
    prices: tuple[int, int], what: str, also: tuple[Step, ...]
) -> None:
    """Of seed 2006."""
    order: dict[str, Any] = {"symbol": "IBM", "action": "BUY"}
    steps = (
        call(3.1, "ann", "place_limit_order", **order, client_order_id="k0", quantity=3, limit_price=prices[0]),
        call(6.2, "bob", "place_limit_order", **order, client_order_id="k3", quantity=2, limit_price=prices[1]),
        AWAY,
        *also,
        {"t": 12.9, "do": "gateway", "what": what},
    )
    assert play(Schedule("2006", start=LAST_SECONDS, steps=steps)).wrong == []


def test_an_order_that_ended_unseen_is_not_taken_for_its_like_that_had_filled() -> None:
    order: dict[str, Any] = {"symbol": "IBM", "action": "BUY", "quantity": 3}
    steps = (
        call(3.1, "ann", "place_limit_order", **order, client_order_id="k0", limit_price=78),
        call(6.2, "bob", "place_limit_order", **order, client_order_id="k3", limit_price=450),
        AWAY,
        KILLED,
        {"t": 12.9, "do": "gateway", "what": "cancel_all"},
    )
    assert play(Schedule("its like", start=LAST_SECONDS, steps=steps)).wrong == []
