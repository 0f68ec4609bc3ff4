"""kill -9 of the worker at every step of an order's way, and of the frontend that waits."""

from __future__ import annotations

import signal

import pytest

from tests.end_to_end.processes import until

from .fault_house import FaultHouse


@pytest.mark.parametrize("point", ["claimed", "in-file"])
def test_killed_before_begin_it_runs_once_under_the_next_worker(house: FaultHouse, point: str) -> None:
    house.arm(f"{point}=kill")
    name = house.name()
    answer = house.placing(name)
    house.next_worker()
    assert answer.result(30)["state"] == "WORKING"
    assert len(house.sent(name)) == 1


def test_killed_between_begin_and_the_socket_it_is_unknown_until_a_person_settles_it(house: FaultHouse) -> None:
    house.arm("begun=kill")
    name = house.name()
    house.in_doubt.add(name)
    answer = house.placing(name, symbol="IBM", limit_price=50)
    house.next_worker()
    until(house.serves, 20, "the next worker")
    told = house.settled(name, "UNKNOWN")
    assert (told["may_resubmit"], house.sent(name)) == (False, [])
    assert answer.result(30)["state"] == "UNKNOWN"
    again = house.place(name, symbol="IBM", limit_price=50, frontend=1)
    assert (again["state"], again["may_resubmit"]) == ("UNKNOWN", False)
    blocked = house.place(house.name(), symbol="IBM", limit_price=51)
    assert (blocked["state"], name in blocked["message"]) == ("REJECTED", True)
    assert house.place(house.name(), symbol="MSFT")["state"] == "WORKING"
    assert name in house.operate("resolve")
    why = ["--outcome", "never-sent", "--by", "ann", "--reason", "TWS shows nothing"]
    assert "EXPIRED" in house.operate("resolve", "--client-order-id", name, *why)
    assert house.story(name)["state"] == "EXPIRED"
    assert house.place(house.name(), symbol="IBM", limit_price=51)["state"] == "WORKING"
    audited = [line for line in house.operate("audit").splitlines() if " resolve " in line]
    assert len(audited) == 1
    assert house.sent(name) == []


@pytest.mark.parametrize("point", ["sent", "acknowledged", "answered"])
def test_killed_after_the_socket_it_is_adopted_and_the_next_order_passes(house: FaultHouse, point: str) -> None:
    house.arm(f"{point}=kill")
    name, following = house.name(), house.name()
    answer = house.placing(name)
    house.worker.ended()
    with house.timed(f"kill -9 at {point}, restarted at once, to the next order"):
        house.next_worker()
        until(lambda: house.place(following, limit_price=99).get("state") == "WORKING", 30, "the next", house.status)
    story = house.settled(name, "WORKING")
    settled_at = next(one["at"] for one in story["history"] if one["event"] not in {"asked for", "begun"})
    begun_at = next(one["at"] for one in house.story(following)["history"] if one["event"] == "begun")
    assert settled_at < begun_at, "what became of the first is settled before the next is begun"
    assert story["perm_id"] is not None
    assert answer.result(30)["state"] in {"WORKING", "UNKNOWN"}
    assert house.place(name, frontend=1)["state"] == "WORKING"
    assert len(house.sent(name)) == 1


def test_a_frontend_killed_while_it_waits_loses_nothing(house: FaultHouse) -> None:
    house.control("slow_down", seconds=1)
    name = house.name()
    answer = house.placing(name, frontend=1)
    until(lambda: house.sent(name), 10, "the order at the gateway")
    house.frontends[1].signal(signal.SIGKILL)
    house.frontends[1].ended()
    assert answer.exception(30) is not None
    assert house.settled(name, "WORKING")["client_order_id"] == name
    assert house.place(name)["state"] == "WORKING"
    assert len(house.sent(name)) == 1
