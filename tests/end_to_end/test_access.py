"""Keys in the whole house: real processes, two frontends, and a job put into Redis by hand."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from redis import Redis

from shared.contract import Scope
from shared.envelope import Envelope, seal
from shared.queue import arq_seam
from shared.redis_keys import Keys

from .house import Answer, House
from .processes import ROOT, Process, until

ORDER = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 100}


class GuardedHouse(House):
    """A house whose frontends want a key."""

    key: str | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.start_valkey()
        self.key = self.make_key("tests", "read,preview,trade")

    def more(self) -> dict[str, str]:
        return {"AUTHENTICATION": "keys"}

    def _process(self, name: str, arguments: list[str], folder: Path, **more: str) -> Process:
        return super()._process(name, arguments, folder, **more, LOG_LEVEL="DEBUG")  # reads are logged there alone

    def make_key(self, name: str, scopes: str) -> str:
        command = [sys.executable, "-m", "mcp_frontend", "keys", "add", name, "--scopes", scopes]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout.strip()


@pytest.fixture(scope="module")
def built_house() -> Iterator[House]:
    with TemporaryDirectory(prefix="house-") as folder:
        house = GuardedHouse(Path(folder))
        try:
            yield house
        finally:
            house.close()


@pytest.fixture
def guarded(house: House) -> GuardedHouse:
    assert isinstance(house, GuardedHouse)
    return house


def test_no_key_evil_host_and_evil_origin_are_refused_at_both_frontends(guarded: GuardedHouse) -> None:
    good = {"authorization": f"Bearer {guarded.key}"}
    cases = [
        (401, {}),
        (401, {"authorization": "Bearer wrong"}),
        (421, good | {"host": "evil.example"}),
        (403, good | {"origin": "http://evil.example"}),
    ]
    for endpoint in guarded.endpoints:
        for expected, headers in cases:
            with pytest.raises(HTTPError) as refused:
                urlopen(Request(endpoint, data=b"{}", headers=headers), timeout=10)
            assert refused.value.code == expected
            assert ("WWW-Authenticate" in refused.value.headers) == (expected == 401)
            refused.value.close()


def test_a_reader_reads_and_trades_at_no_frontend_and_each_line_of_the_logs_names_it(guarded: GuardedHouse) -> None:
    before, trader = len(guarded.ledger()), guarded.key
    guarded.key = reader = guarded.make_key("reader", "read")
    try:
        for frontend in (0, 1):
            assert "items" in guarded.ask("get_positions", frontend=frontend)
            assert guarded.ask("place_limit_order", ORDER, frontend=frontend)["error"].startswith("NOT_PERMITTED: ")
    finally:
        guarded.key = trader
    assert guarded.ledger(before) == []
    until(lambda: len(_jobs(guarded.worker, "reader")) == 2, 5, "both reads in the worker's log")
    asked = {line["request_id"] for frontend in guarded.frontends for line in _lines(frontend, "reader")}
    assert {line["request_id"] for line in _lines(guarded.worker, "reader")} < asked
    secrets = [key.split("_", 2)[2] for key in (trader, reader) if key]
    assert not any(secret in process.said for secret in secrets for process in guarded.processes)


def _jobs(process: Process, caller: str) -> list[Answer]:
    """The lines that close a caller's jobs."""
    return [line for line in _lines(process, caller) if line["message"].startswith("job ")]


def _lines(process: Process, caller: str) -> list[Answer]:
    """What a process logged while it served a caller."""
    entries = [json.loads(line) for line in process.said.splitlines() if line.startswith("{")]
    return [entry for entry in entries if entry.get("caller") == caller]


def test_an_order_is_in_the_audit_under_the_name_of_its_key(guarded: GuardedHouse) -> None:
    placed = guarded.ask("place_limit_order", ORDER | {"client_order_id": "audited"})
    assert placed["state"] == "WORKING", placed
    command = [sys.executable, "-m", "broker_worker", "audit", "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=guarded.environment, capture_output=True, text=True, timeout=30, check=True
    )
    entry = json.loads(done.stdout.splitlines()[-1])
    assert (entry["caller"], entry["operation"]) == ("tests", "place_limit_order")
    lines = [line for line in _lines(guarded.worker, "tests") if line["request_id"] == entry["request_id"]]
    assert any(line["message"].startswith("order mcp-") for line in lines), lines
    assert any(line["message"].endswith("to the gateway in the lane order") for line in lines), lines
    asked = [line for frontend in guarded.frontends for line in _lines(frontend, "tests")]
    assert entry["request_id"] in {line["request_id"] for line in asked}


def test_the_same_job_forged_in_redis_is_refused_by_the_worker(guarded: GuardedHouse) -> None:
    before = len(guarded.ledger())
    for secret in (b"", b"a guessed secret of a thief"):
        answer = _forged(guarded, secret)
        assert answer["error"]["code"] == "UNSIGNED_JOB"
    assert guarded.ledger(before) == []


def _forged(house: GuardedHouse, secret: bytes) -> Answer:
    """The worker's answer to an order put into Redis by somebody who has Redis alone."""
    keys, request = Keys("main"), uuid.uuid4().hex
    envelope = Envelope(
        v=2, session="main", operation="place_limit_order", arguments=ORDER, caller="tests", scopes=frozenset(Scope),
        authenticated=True, deadline_ms=int(time.time() * 1000) + 10_000, request_id=request, reply_to="nobody",
    )  # fmt: skip
    body, signature = seal(envelope, secret)
    now, job = int(time.time() * 1000), f"main:x:{request}"
    with Redis.from_url(house.environment["REDIS_URL"]) as redis:
        redis.set(arq_seam.JOB + job, arq_seam.encode_job(body, signature, now), px=30_000)
        redis.zadd(keys.queue, {job: now - 1_500_000_000_000})
        redis.rpush(keys.wake, "1")
        until(lambda: redis.exists(arq_seam.RESULT + job), 10, "an answer")
        result = arq_seam.decode_result(redis.get(arq_seam.RESULT + job))
    told: Answer = json.loads(result)
    return told
