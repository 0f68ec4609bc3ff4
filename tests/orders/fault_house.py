"""The house of processes with levers for orders: fail points, a second worker, orders asked for in the background."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from redis import Redis

from shared.order_records import order_key
from shared.redis_keys import Keys
from tests.end_to_end.house import Answer, House
from tests.end_to_end.processes import ROOT, Process, until

from .invariant import check

KEYS = Keys("main")
BUY: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 100}

_names = itertools.count(1)


class FaultHouse(House):
    """Remembers every name that was asked for, so that all can be held against the ledger."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder
        self._asking = ThreadPoolExecutor(110)
        self.asked: list[str] = []
        self.in_doubt: set[str] = set()

    def close(self) -> None:
        super().close()
        self._asking.shutdown()

    def name(self) -> str:
        """A new client_order_id."""
        self.asked.append(f"fault-{next(_names)}")
        return self.asked[-1]

    def place(self, name: str, *, frontend: int = 0, **changes: Any) -> Answer:
        """Place an order and wait for the answer."""
        return self.ask("place_limit_order", BUY | {"client_order_id": name} | changes, frontend=frontend)

    def placing(self, name: str, *, frontend: int = 0, **changes: Any) -> Future[Answer]:
        """The same in the background."""
        return self._asking.submit(self.place, name, frontend=frontend, **changes)

    def story(self, name: str, frontend: int = 0) -> Answer:
        """What get_order says."""
        return self.ask("get_order", {"order": name}, frontend=frontend)

    def settled(self, name: str, *states: str, seconds: float = 20) -> Answer:
        """The story once the order is in one of these states."""
        until(lambda: self.story(name)["state"] in states, seconds, f"{name} {states}", lambda: self.story(name))
        return self.story(name)

    def sent(self, name: str) -> list[Answer]:
        """The orders of a name that reached the gateway."""
        key = order_key("local", name)
        return [entry for entry in self.ledger() if entry["kind"] == "place" and entry["order_ref"] == key]

    def stage(self, name: str) -> str | None:
        """How far the record says the order came."""
        with self.redis() as redis:
            found: Any = redis.hget(KEYS.order(order_key("local", name)), "stage")
            return found.decode() if found else None

    def check(self) -> None:
        """The invariant, over everything ever asked for here."""
        stories = {name: self.story(name) for name in self.asked}
        check(self.ledger(), self.gateway_says("orders"), stories, in_doubt=self.in_doubt)

    def redis(self) -> Redis:
        """A client of the house's Redis."""
        return Redis(port=self._valkey_port)

    def another_worker(self, name: str, **environment: str) -> Process:
        """A worker process that is not started yet; with the same folder unless told otherwise."""
        return self._process(name, ["broker_worker"], self._folder, **environment)

    def arm(self, fail_points: str) -> None:
        """Replace the worker by one with fail points, and wait until it serves."""
        self.worker.kill()
        self.worker = self.another_worker("worker", FAIL_POINTS=fail_points)
        self.worker.start()
        until(self.serves, 20, "the armed worker", self.status)

    def next_worker(self) -> None:
        """After the armed one has ended: start one without fail points."""
        assert self.worker.ended() == -signal.SIGKILL
        self.worker = self.another_worker("worker")
        self.worker.start()

    def operate(self, *arguments: str) -> str:
        """What the worker's command line prints."""
        command = [sys.executable, "-m", "broker_worker", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout
