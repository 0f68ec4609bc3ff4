"""Redis killed or wiped, replies lost on the way, two workers, a stopped worker, a gateway on its bad days."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.processes import until

from .fault_house import KEYS, FaultHouse

RECOVERS = 20.0


def serves(house: FaultHouse) -> None:
    until(lambda: all(house.serves(number) for number in (0, 1)), RECOVERS, "the house", house.status)


def test_a_hundred_equal_calls_over_two_frontends_are_one_order(house: FaultHouse) -> None:
    name = house.name()
    asked = [house.placing(name, frontend=number % 2) for number in range(100)]
    answers = [one.result(40) for one in asked]
    assert [one["error"] for one in answers if "error" in one] == []
    assert {(one["state"], one["perm_id"]) for one in answers} == {("WORKING", answers[0]["perm_id"])}
    assert len(house.sent(name)) == 1
    other = house.place(name, quantity=2)
    assert other["error"].startswith("KEY_REUSED: ")
    with house.redis() as redis:
        results: Any = redis.keys("arq:result:*")
        redis.delete(*results)
    assert house.place(name, frontend=1)["perm_id"] == answers[0]["perm_id"]
    assert len(house.sent(name)) == 1


def test_redis_killed_and_restarted_with_its_file(house: FaultHouse) -> None:
    name = house.name()
    assert house.place(name)["state"] == "WORKING"
    house.valkey.terminate()
    again = house.place(name)
    assert again["error"].startswith("QUEUE_DOWN: ")
    house.start_valkey()
    serves(house)
    assert house.place(name, frontend=1)["state"] == "WORKING"
    assert house.story(name)["history"][0]["event"] == "asked for"


def test_redis_wiped_under_the_running_worker(house: FaultHouse) -> None:
    name, following = house.name(), house.name()
    first = house.place(name, symbol="MSFT")
    house.wipe_redis()
    serves(house)
    assert house.place(following, symbol="SPY")["state"] == "WORKING"
    again = house.place(name, symbol="MSFT", frontend=1)
    assert (again["state"], again["perm_id"]) == ("WORKING", first["perm_id"])
    house.settled(name, "WORKING")
    assert [len(house.sent(one)) for one in (name, following)] == [1, 1]
    for lost in set(house.asked) - {name, following}:
        house.settled(lost, "WORKING", "FILLED", "CANCELLED", "EXPIRED")


def test_redis_wiped_while_no_worker_runs(house: FaultHouse) -> None:
    name = house.name()
    assert house.place(name)["state"] == "WORKING"
    house.worker.kill()
    house.wipe_redis()
    house.worker.start()
    serves(house)
    assert house.settled(name, "WORKING")["client_order_id"] == name
    assert house.place(name, quantity=3)["error"].startswith("KEY_REUSED: ")
    assert len(house.sent(name)) == 1


def test_an_order_that_no_worker_begins_is_never_sent_and_its_name_tells_the_same_as_its_answer(
    house: FaultHouse,
) -> None:
    name = house.name()
    house.worker.kill()
    with house.redis() as redis:
        redis.set(KEYS.heartbeat, "1", px=1500)  # the frontends do not know yet that nobody serves
    answer = house.place(name)
    told = house.settled(name, "EXPIRED", "REJECTED")
    assert (told["may_resubmit"], house.sent(name)) == (True, [])
    house.worker.start()
    serves(house)
    if answer.get("state") == "EXPIRED":
        assert house.place(name)["state"] == "EXPIRED"  # one name, one answer
        assert house.sent(name) == []
    else:
        assert answer["error"].startswith("WORKER_DOWN: ")  # an error: the same call may be made again
        assert house.place(name)["state"] == "WORKING"
        assert len(house.sent(name)) == 1


def test_a_gateway_restart_that_reissues_order_ids(house: FaultHouse) -> None:
    first, second = house.name(), house.name()
    old = house.place(first)
    house.control("restart", seconds=0.2, roll_back_ids=1)
    until(lambda: house.link() != "ready" or house.ledger() is None, 5, "the link to end", house.link)
    serves(house)
    new = house.place(second, limit_price=98)
    assert new["state"] == "WORKING"
    assert new["perm_id"] != old["perm_id"]
    assert house.place(first)["perm_id"] == old["perm_id"]
    assert [len(house.sent(one)) for one in (first, second)] == [1, 1]


def test_a_mute_gateway_leaves_it_pending_and_a_new_link_tells_the_rest(house: FaultHouse) -> None:
    name = house.name()
    house.place(house.name())
    house.control("mute")
    assert house.place(name, limit_price=97)["state"] in {"PENDING", "UNKNOWN"}
    house.control("unmute")
    house.control("drop_links")
    assert house.settled(name, "WORKING")["perm_id"] is not None
    assert len(house.sent(name)) == 1


def test_a_slow_gateway_makes_it_late_and_nothing_else(house: FaultHouse) -> None:
    name = house.name()
    house.control("slow_down", seconds=1)
    assert house.place(name)["state"] == "WORKING"
    assert len(house.sent(name)) == 1
