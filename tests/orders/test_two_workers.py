"""A second worker: beside the first, after its end, while it is stopped and goes on; and SIGTERM in mid-send."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.house import Answer
from tests.end_to_end.processes import until

from .fault_house import FaultHouse


@pytest.mark.parametrize("point", ["in-file", "begun", "sent"])
def test_stopped_anywhere_on_an_orders_way_and_woken_under_a_new_leader_it_sends_nothing_more(
    house: FaultHouse, tmp_path: Path, point: str
) -> None:
    """The lease lasts two seconds, so that a worker stopped for longer is as one stopped for half a minute."""
    house.arm(f"{point}=stop")
    name, following = house.name(), house.name()
    old = house.worker
    with house.standing_by(STATE_DIR=str(tmp_path)) as standby:
        answer = house.placing(name, symbol="IBM", limit_price=50)
        house.has_stopped(old)
        if point == "begun":
            house.in_doubt.add(name)
        until(lambda: "this worker leads" in standby.said, 10, "the stand-by taking over", standby.tail)
        old.signal(signal.SIGCONT)
        until(lambda: "another worker leads" in old.said, 10, "the old worker standing by", old.tail)
        until(house.serves, 20, "the stand-by", standby.tail)
        assert house.place(following)["state"] == "WORKING"
        told = answer.result(40)
        assert "may_resubmit" not in told or not told["may_resubmit"] or house.sent(name) == []
        again = house.place(name, symbol="IBM", limit_price=50, frontend=1)
        assert again["state"] == ("UNKNOWN" if point == "begun" else "WORKING")
        assert len(house.sent(name)) == (0 if point == "begun" else 1)
        house.check()


@pytest.mark.parametrize(("point", "symbol"), [("begun", "TSLA"), ("sent", "NVDA")])
def test_a_stand_by_with_a_folder_of_its_own_takes_over_from_a_killed_worker(
    house: FaultHouse, tmp_path: Path, point: str, symbol: str
) -> None:
    house.arm(f"{point}=kill")
    name, following = house.name(), house.name()
    with house.standing_by(STATE_DIR=str(tmp_path)) as standby:
        answer = house.placing(name, symbol=symbol, limit_price=50)
        assert house.worker.ended() == -signal.SIGKILL
        if point == "begun":
            house.in_doubt.add(name)
        with house.timed(f"kill -9 at {point}, to the next order, by the stand-by"):
            until(lambda: house.place(following).get("state") == "WORKING", 30, "the next order", standby.tail)
        expected = "UNKNOWN" if point == "begun" else "WORKING"
        assert house.settled(name, expected)["may_resubmit"] is False
        assert answer.result(40)["state"] in {expected, "UNKNOWN"}
        assert len(house.sent(name)) == (0 if point == "begun" else 1)
        house.check()


def test_two_workers_at_once_and_the_leader_killed_among_many_orders(house: FaultHouse) -> None:
    orders = [(house.name(), number % 2, ("MSFT", "SPY", "AMZN", "GOOGL")[number % 4]) for number in range(32)]

    def place_all() -> list[Answer]:
        asked = [house.placing(name, frontend=door, symbol=symbol, limit_price=60) for name, door, symbol in orders]
        return [one.result(40) for one in asked]

    with house.standing_by():
        house.in_doubt.update(name for name, _, _ in orders)
        received = len(house.ledger())
        first = ThreadPoolExecutor(1).submit(place_all)
        until(lambda: len(house.ledger()) > received + 8, 20, "some orders at the gateway")
        house.worker.signal(signal.SIGKILL)
        first.result(60)
        until(house.serves, 20, "the stand-by")
        place_all()
        assert {len(house.sent(name)) for name, _, _ in orders} <= {0, 1}
        house.check()


def test_sigterm_in_mid_send_several_times_drains_or_is_adopted_and_ends_in_time(house: FaultHouse) -> None:
    house.control("slow_down", seconds=0.3)
    for moment in ("handed over", "sent", "handed over", "sent"):
        name = house.name()
        answer = house.placing(name, limit_price=70)
        if moment == "sent":
            until(lambda name=name: house.sent(name), 20, "the order at the gateway")  # type: ignore[misc]
        else:
            until(lambda name=name: house.stage(name), 20, "the order on its way")  # type: ignore[misc]
        assert house.worker.stop() == 0
        house.worker.start()
        answer.result(40)
        until(house.serves, 20, "the next worker", house.status)
        assert house.place(name, limit_price=70)["state"] == "WORKING"
        assert len(house.sent(name)) == 1
