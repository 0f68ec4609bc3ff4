"""Whatever goes away: an error within two seconds that names it, and recovery without anybody's help."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from .house import Answer, House
from .processes import until

TWO_SECONDS = 2.0
RECOVERS = 20.0
ORDER = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 100}


def asked(house: House, frontend: int, tool: str, arguments: Mapping[str, Any] | None = None) -> Answer:
    """An answer that came in time."""
    began = time.monotonic()
    answer = house.ask(tool, arguments, frontend=frontend)
    took = time.monotonic() - began
    assert took < TWO_SECONDS, f"{took:.1f} s: {answer}"
    return answer


def recovered(house: House) -> bool:
    return all(house.serves(frontend) for frontend in (0, 1))


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_missing_worker_is_said_within_two_seconds_and_the_next_one_serves(house: House, how: str) -> None:
    before = len(house.ledger())
    if how == "stopped":
        assert house.worker.stop() == 0
    else:
        house.worker.kill()
    for frontend in (0, 1):
        assert asked(house, frontend, "get_positions")["error"].startswith("WORKER_DOWN: ")
        status = asked(house, frontend, "get_status")
        assert (status["ready"], status["worker_running"]) == (False, False)
    refused = asked(house, 0, "place_limit_order", ORDER)
    assert refused["error"].startswith("WORKER_DOWN: ")
    house.worker.start()
    until(lambda: recovered(house), RECOVERS, "the next worker")
    assert house.ledger(before) == []


def test_both_processes_recover_by_themselves_when_valkey_was_away(house: House) -> None:
    house.valkey.stop()
    for frontend in (0, 1):
        assert asked(house, frontend, "get_positions")["error"].startswith("QUEUE_DOWN: ")
        assert house.status(frontend)["queue_depth"] is None
    house.start_valkey()
    until(lambda: recovered(house), RECOVERS, "recovery after Valkey's restart")
    assert all(process.running for process in house.processes)


def test_a_dead_gateway_is_named_and_found_again(house: House) -> None:
    house.gateway.kill()
    until(lambda: house.link() in {"link lost", "planned outage"}, 5, "the state of the link")
    for frontend in (0, 1):
        error = asked(house, frontend, "get_positions")["error"]
        assert error.startswith("GATEWAY_UNAVAILABLE: the gateway link is in state '")
        assert "Retry: after" in error
    house.gateway.start()
    until(lambda: recovered(house), RECOVERS, "the link to the next gateway")


@pytest.mark.parametrize("name", ["frontend-1", "worker", "gateway"])
def test_a_process_that_is_told_to_stop_ends_with_0_in_time_and_without_a_trace(house: House, name: str) -> None:
    (process,) = [process for process in house.processes if process.name == name]
    assert process.stop(seconds=10) == 0
    assert "Traceback" not in process.said
