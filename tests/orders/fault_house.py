"""The house of processes with levers for orders: fail points, a second worker, orders asked for in the background."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from shared.order_records import order_key
from shared.redis_keys import Keys
from tests.end_to_end.house import Answer, House
from tests.end_to_end.processes import ROOT, Process, until

from .invariant import check
from .lines import Line

KEYS = Keys("main")
BUY: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 100}

FIGURES: list[str] = []
"""What took how long, printed when all tests have run."""

_names = itertools.count(1)


class FaultHouse(House):
    """Remembers every name that was asked for, so that all can be held against the ledger."""

    def __init__(self, folder: Path, *, gateway: Sequence[str] = ()) -> None:
        super().__init__(folder, gateway=gateway)
        self._folder = folder
        self.worker_line, self.frontend_line = Line(self._valkey_port), Line(self._valkey_port)
        self.worker = self.another_worker("worker")
        self.frontends = tuple(
            self._process(one.name, ["mcp_frontend"], folder, SERVER_PORT=str(port), REDIS_URL=self.frontend_line.url)
            for one, port in zip(self.frontends, self.frontend_ports, strict=True)
        )
        self._asking = ThreadPoolExecutor(110)
        self.asked: list[str] = []
        self._forgettable: set[str] = set()
        self._unaudited: set[str] = set()
        self.in_doubt: set[str] = set()
        """Those whose fault fell between BEGIN and the acknowledgement."""
        self.over_since_midnight: set[str] = set()
        """Those whose fate only the positions can tell."""

    def close(self) -> None:
        super().close()
        self._asking.shutdown()
        self.worker_line.close()
        self.frontend_line.close()

    def mend(self) -> None:
        """See ``House``; the ways to Redis too."""
        for line in (self.worker_line, self.frontend_line):
            line.disarm()
            line.mend()
        super().mend()

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
        asked = [name for name in self.asked if name not in self._forgettable or self.sent(name)]
        stories = {name: self.story(name) for name in asked}
        orders = self.gateway_says("orders")
        check(self.ledger(), orders, stories, in_doubt=self.in_doubt, over_since_midnight=self.over_since_midnight)
        self._check_audit()

    def _check_audit(self) -> None:
        """No call has two entries, and no order that was sent has none."""
        with self.redis() as redis:
            stream: Any = redis.xrange(KEYS.audit)
        entries = [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in stream]
        calls = Counter(entry["request_id"] for entry in entries if entry["request_id"])
        assert not (twice := [one for one, count in calls.items() if count > 1]), f"two entries for {twice}"
        told = {entry["key"] for entry in entries}
        silent = [name for name in self.asked if name not in self._unaudited and order_key("local", name) not in told]
        assert not [name for name in silent if self.sent(name)], f"no word in the audit about {silent}"

    def redis(self) -> Redis:
        """A client of the house's Redis."""
        return Redis(port=self._valkey_port)

    def another_worker(self, name: str, **environment: str) -> Process:
        """A worker process that is not started yet; with the same folder unless told otherwise."""
        return self._process(name, ["broker_worker"], self._folder, **{"REDIS_URL": self.worker_line.url} | environment)

    @contextmanager
    def standing_by(self, **environment: str) -> Iterator[Process]:
        """A second worker that waits for the lease; at the end both are gone, and one new one serves."""
        second = self.another_worker("standby", **environment)
        second.start()
        try:
            until(lambda: "standing by" in second.said, 20, "the stand-by", second.tail)
            yield second
        finally:
            second.kill()
            self.worker.kill()
            self.worker = self.another_worker("worker")

    def has_stopped(self, process: Process) -> None:
        """Return when a process has stopped itself (SIGSTOP)."""

        def stopped() -> bool:
            return os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None

        until(stopped, 20, f"{process.name} stopping", process.tail)

    def wipe_redis(self) -> None:
        """Redis forgets everything and goes on."""
        self._forgetting()
        with self.redis() as redis:
            redis.flushall()

    def _forgetting(self) -> None:
        self._unaudited.update(self.asked)
        self._forgettable |= {name for name in self.asked if not self.sent(name)}

    def lose_redis(self) -> None:
        """Redis dies, and its file with it; the one that starts in its place never heard of what was never sent."""
        self._forgetting()
        self.valkey.terminate()
        shutil.rmtree(self._valkey_data)
        self.start_valkey()

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

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Note how long the block took, for the figures at the end of the run; no test fails on it."""
        began = time.monotonic()
        yield
        FIGURES.append(f"{what}: {time.monotonic() - began:.1f} s")

    def operate(self, *arguments: str) -> str:
        """What the worker's command line prints."""
        command = [sys.executable, "-m", "broker_worker", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout
