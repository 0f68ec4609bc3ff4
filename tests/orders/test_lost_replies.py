"""Words lost between Redis and a process in the middle of an order, Redis dying in it, the gateway's socket reset."""

from __future__ import annotations

import pytest

from broker_worker.orders import scripts as order_scripts
from shared import order_records
from shared.queue import scripts
from tests.end_to_end.processes import until

from .fault_house import FaultHouse

TRIPPED = "Redis was wiped or replaced"


@pytest.mark.parametrize("script", [order_records._ENTER, scripts.ENQUEUE], ids=["the record", "the job"])
def test_the_reply_to_handing_an_order_over_is_lost(house: FaultHouse, script: str) -> None:
    name = house.name()
    house.frontend_line.lose_reply_to(script)
    first = house.place(name)
    assert house.frontend_line.lost
    assert (first["state"], first["client_order_id"]) == ("WORKING", name)
    assert house.place(name, frontend=1)["perm_id"] == first["perm_id"]
    assert len(house.sent(name)) == 1


def test_the_reply_to_the_claim_of_an_order_is_lost(house: FaultHouse) -> None:
    name = house.name()
    house.worker_line.lose_reply_to(scripts.CLAIM, carrying=name.encode())
    assert house.place(name)["state"] == "WORKING"
    assert house.worker_line.lost
    assert len(house.sent(name)) == 1


@pytest.mark.parametrize(
    "script", [order_scripts.BEGIN, order_scripts.NOTE, scripts.FINISH], ids=["BEGIN", "the note", "finish"]
)
def test_a_reply_to_the_worker_is_lost_and_nothing_is_sent_twice(house: FaultHouse, script: str) -> None:
    name = house.name()
    house.worker_line.lose_reply_to(script)
    assert house.place(name)["state"] == "WORKING"
    until(lambda: house.worker_line.lost, 10, "the reply lost")
    assert house.place(name, frontend=1)["state"] == "WORKING"
    assert len(house.sent(name)) == 1
    assert house.settled(name, "WORKING")["history"][-1]["event"] != "never sent"


def test_the_reply_to_begin_is_lost_and_redis_out_of_reach_so_that_nothing_is_sent(house: FaultHouse) -> None:
    name, following = house.name(), house.name()
    house.worker_line.lose_reply_to(order_scripts.BEGIN, then_cut=True)
    answer = house.placing(name)
    until(lambda: house.worker_line.lost, 10, "the reply lost")
    until(lambda: ": UNAVAILABLE" in house.worker.said, 15, "the worker giving up", house.worker.tail)
    house.worker_line.mend()
    assert house.settled(name, "EXPIRED", "REJECTED")["may_resubmit"] is True
    told = answer.result(40)
    assert told.get("state") in {"EXPIRED", "UNKNOWN"} or "certainly nothing was sent" in told["error"]
    assert house.sent(name) == []
    until(house.serves, 20, "the house", house.status)
    assert house.place(following)["state"] == "WORKING"


def test_redis_killed_while_the_gateway_has_the_order_and_restarted_with_its_file(house: FaultHouse) -> None:
    name = house.name()
    house.control("slow_down", seconds=1)
    answer = house.placing(name)
    until(lambda: house.sent(name), 10, "the order at the gateway")
    house.valkey.terminate()
    house.start_valkey()
    assert answer.result(40)["state"] in {"WORKING", "UNKNOWN"}
    assert house.settled(name, "WORKING")["perm_id"] is not None
    assert house.place(name, frontend=1)["state"] == "WORKING"
    assert len(house.sent(name)) == 1


def test_redis_restarted_without_its_file_trips_the_sentinel_and_loses_no_order(house: FaultHouse) -> None:
    before, during, after = house.name(), house.name(), house.name()
    first = house.place(before, symbol="MSFT")
    house.control("slow_down", seconds=0.5)
    answer = house.placing(during, symbol="MSFT", limit_price=99)
    until(lambda: house.sent(during), 10, "the order at the gateway")
    tripped = house.worker.said.count(TRIPPED)
    house.lose_redis()
    assert answer.result(40).get("state") in {"WORKING", "UNKNOWN"}
    house.control("clear_faults")
    until(house.serves, 20, "the house", house.status)
    assert house.place(after, symbol="SPY")["state"] == "WORKING"
    assert house.worker.said.count(TRIPPED) == tripped + 1
    assert house.place(before, symbol="MSFT", frontend=1)["perm_id"] == first["perm_id"]
    assert house.place(during, symbol="MSFT", limit_price=99)["state"] == "WORKING"
    assert house.place(before, symbol="MSFT", quantity=2)["error"].startswith("KEY_REUSED: ")
    assert [len(house.sent(name)) for name in (before, during, after)] == [1, 1, 1]


def test_the_gateways_socket_is_reset_after_it_took_the_order(house: FaultHouse) -> None:
    name = house.name()
    house.control("slow_down", seconds=1)
    answer = house.placing(name)
    until(lambda: house.sent(name), 10, "the order at the gateway")
    house.control("drop_links")
    house.control("clear_faults")
    told = answer.result(40)
    assert (told["state"], told["may_resubmit"]) in {("UNKNOWN", False), ("WORKING", False)}
    assert house.settled(name, "WORKING")["perm_id"] is not None
    assert house.place(name, frontend=1)["state"] == "WORKING"
    assert len(house.sent(name)) == 1


def test_the_gateways_socket_is_reset_before_the_order_arrives(house: FaultHouse) -> None:
    name = house.name()
    house.in_doubt.add(name)
    house.control("swallow_next_order")
    answer = house.placing(name, symbol="IBM", limit_price=50)
    until(lambda: not house.gateway_says("faults")["swallow_orders"], 10, "the order lost")
    house.control("drop_links")
    assert answer.result(40)["state"] == "UNKNOWN"
    assert house.settled(name, "UNKNOWN")["may_resubmit"] is False
    assert house.place(name, symbol="IBM", limit_price=50, frontend=1)["state"] == "UNKNOWN"
    assert house.sent(name) == []
