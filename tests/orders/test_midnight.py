"""Killed a minute before the exchange's midnight and started after it: the gateway no longer tells of yesterday."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from broker_worker.orders.position_evidence import EXCHANGE_DAY
from shared.order_records import order_key
from tests.end_to_end.processes import until

from .fault_house import KEYS, FaultHouse

LAST_MINUTE = (datetime.now(EXCHANGE_DAY) - timedelta(days=1)).replace(hour=23, minute=59, second=0)


@pytest.fixture(scope="module")
def built_house() -> Iterator[FaultHouse]:
    with TemporaryDirectory(prefix="midnight-") as folder:
        house = FaultHouse(Path(folder), gateway=["--at", LAST_MINUTE.isoformat()])
        try:
            yield house
        finally:
            house.close()


def begun_in_the_last_minute(house: FaultHouse, *names: str) -> None:
    """Move the records back to the gateway's time: to all who read them it is then the next day."""
    with house.redis() as redis:
        for name in names:
            redis.hset(KEYS.order(order_key("local", name)), "begun_ms", int(LAST_MINUTE.timestamp() * 1000))


def test_after_a_kill_at_23_59_and_a_restart_at_00_10_the_positions_are_the_evidence(house: FaultHouse) -> None:
    lasting, for_the_day, filled, lost = names = [house.name() for _ in range(4)]
    house.place(lasting, symbol="AAPL", tif="GTC")
    house.place(for_the_day, symbol="MSFT")
    house.control("swallow_next_order")
    first = house.placing(lost, symbol="IBM", limit_price=50)
    until(lambda: not house.gateway_says("faults")["swallow_orders"], 10, "the order lost on its way")
    house.control("forget_next")
    second = house.placing(filled, symbol="TSLA", quantity=3, limit_price=999)
    until(lambda: any(one["status"] == "Filled" for one in house.gateway_says("orders")), 10, "the fill nobody is told")

    house.worker.signal(signal.SIGKILL)
    house.worker.ended()
    begun_in_the_last_minute(house, *names)
    house.over_since_midnight.add(lost)
    house.control("advance", seconds=11 * 60)
    house.worker.start()
    until(house.serves, 20, "the next worker", house.worker.tail)

    assert house.settled(lasting, "WORKING")["perm_id"] is not None
    assert house.settled(for_the_day, "CANCELLED")["filled"] == 0
    told = house.settled(filled, "FILLED")
    assert (told["filled"], told["history"][-1]["event"]) == (3, "filled, by the evidence of the position")
    told = house.settled(lost, "CANCELLED")
    assert (told["may_resubmit"], told["history"][-1]["event"]) == (True, "over, by the evidence of the position")

    assert {first.result(40)["state"], second.result(40)["state"]} <= {"FILLED", "CANCELLED", "UNKNOWN"}
    assert house.place(filled, symbol="TSLA", quantity=3, limit_price=999, frontend=1)["state"] == "FILLED"
    assert house.place(lost, symbol="IBM", limit_price=50, frontend=1)["state"] == "CANCELLED"
    assert [len(house.sent(name)) for name in names] == [1, 1, 1, 0]
    assert house.place(house.name(), symbol="IBM", limit_price=50)["state"] == "WORKING"
