"""Redis's primary dies and its replica takes over: with every order, or without the newest ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from shared.order_records import order_key
from tests.end_to_end.house import Answer, House
from tests.end_to_end.processes import until
from tests.watched_redis import WatchedRedis

from .fault_house import BUY
from .invariant import check

FAILED_OVER = 20.0


class WatchedHouse(House):
    """A house whose Redis is watched over by a Sentinel."""

    def __init__(self, folder: Path) -> None:
        self.servers = WatchedRedis(folder)
        self._names = itertools.count(1)
        self.asked: list[str] = []
        super().__init__(folder)

    @property
    def redis_url(self) -> str:
        """See ``House``."""
        return self.servers.url

    def start_valkey(self) -> None:
        """The three run already."""

    def close(self) -> None:
        """See ``House``."""
        super().close()
        self.servers.close()

    def name(self) -> str:
        """A new client_order_id."""
        self.asked.append(f"failover-{next(self._names)}")
        return self.asked[-1]

    def place(self, name: str, frontend: int = 0, **changes: Any) -> Answer:
        """Place an order and wait for the answer."""
        return self.ask("place_limit_order", BUY | {"client_order_id": name} | changes, frontend=frontend)

    def placed(self, name: str, frontend: int = 0, **changes: Any) -> Answer:
        """The same, called again while its answer is an error, as every error here says that it may be."""
        answers: list[Answer] = []

        def served() -> bool:
            answers.append(self.place(name, frontend, **changes))
            return "error" not in answers[-1]

        until(served, FAILED_OVER, f"an answer for {name}", lambda: answers[-1])
        return answers[-1]

    def story(self, name: str) -> Answer:
        """What get_order says."""
        return self.ask("get_order", {"order": name})

    def states(self) -> set[str]:
        """Of all orders ever asked for; the worker tells a new primary again what the old one took along."""
        return {self.story(name).get("state", "UNKNOWN") for name in self.asked}

    def sent(self, name: str) -> int:
        """How many orders of this name reached the gateway."""
        key = order_key("local", name)
        return sum(entry["kind"] == "place" and entry["order_ref"] == key for entry in self.ledger())

    def fail_over(self) -> None:
        """Return when the replica is the primary and both frontends serve by it."""
        self.servers.kill_primary()
        until(self.servers.failed_over, FAILED_OVER, "the failover")
        until(lambda: self.serves(0) and self.serves(1), FAILED_OVER, "the house", self.status)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[WatchedHouse]:
    built = WatchedHouse(tmp_path)
    try:
        built.mend()
        yield built
        until(lambda: "UNKNOWN" not in built.states(), FAILED_OVER, "every fate to be known", built.states)
        check(built.ledger(), built.gateway_says("orders"), {name: built.story(name) for name in built.asked})
    finally:
        built.close()


def test_what_the_replica_knows_goes_on_as_if_nothing_had_happened(house: WatchedHouse) -> None:
    name, following = house.name(), house.name()
    before = house.place(name)
    house.fail_over()
    again = house.placed(name, frontend=1)
    assert (again["state"], again["perm_id"]) == ("WORKING", before["perm_id"])
    assert [event["event"] for event in house.story(name)["history"]][:2] == ["asked for", "begun"]
    assert house.placed(following, limit_price=98)["state"] == "WORKING"
    assert [house.sent(name), house.sent(following)] == [1, 1]


def test_an_order_the_replica_never_heard_of_is_found_again_and_not_sent_again(house: WatchedHouse) -> None:
    known, unheard, following = house.name(), house.name(), house.name()
    house.place(known)
    house.servers.lose_touch()
    before = house.place(unheard, limit_price=99)
    house.fail_over()
    again = house.placed(unheard, frontend=1, limit_price=99)
    assert (again["state"], again["perm_id"]) == ("WORKING", before["perm_id"])
    assert house.place(unheard, limit_price=98)["error"].startswith("KEY_REUSED: ")
    assert house.placed(following, limit_price=97)["state"] == "WORKING"
    assert [house.sent(name) for name in (known, unheard, following)] == [1, 1, 1]


@pytest.mark.parametrize("behind", [False, True], ids=["replica up to date", "replica behind"])
def test_orders_under_way_while_the_primary_dies_reach_the_gateway_once_or_never(
    house: WatchedHouse, *, behind: bool
) -> None:
    house.place(house.name())
    if behind:
        house.servers.lose_touch()
    orders = {house.name(): {"limit_price": price} for price in range(80, 92)}
    with ThreadPoolExecutor(len(orders)) as asking:
        asked = [asking.submit(house.place, name, number % 2, **orders[name]) for number, name in enumerate(orders)]
        until(lambda: any(house.sent(name) for name in orders), FAILED_OVER, "the first of them to be sent")
        house.fail_over()
        answers = [one.result(40) for one in asked]
    for name, answer in zip(orders, answers, strict=True):
        if "certainly nothing was sent" in answer.get("error", ""):
            assert house.sent(name) == 0
        again = house.placed(name, **orders[name])
        assert again["state"] in {"WORKING", "EXPIRED"}
        assert house.sent(name) == (again["state"] == "WORKING")
