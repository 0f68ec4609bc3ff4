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
