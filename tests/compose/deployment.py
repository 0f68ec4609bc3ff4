"""The demo profile, brought up by ``docker compose`` under a name and a port of its own, and what one may ask of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from tests.conftest import free_port
from tests.end_to_end.processes import ROOT

PROJECT = "ibkr-bridge-test"
UP_SECONDS = 900
COMMAND_SECONDS = 120
CONTROL = "http://127.0.0.1:4100"


class Deployment:
    """One project of containers."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("IBKR_", "COMPOSE_"))},
            "SERVER_PORT": str(self.port),
            "READONLY": "false",
        }

    def compose(self, *arguments: str, seconds: float = COMMAND_SECONDS, second_login: bool = False) -> str:
        """One ``docker compose`` command's standard output."""
        further = ("-f", "deploy/compose/second-login.yaml") if second_login else ()
        files = ("-f", "compose.yaml", *further, "-f", "tests/compose/control.yaml")
        # An empty file in place of .env: what the person who runs this has in it is nobody's business here.
        return self._run(
            "compose", "-p", PROJECT, "--env-file", os.devnull, *files, "--profile", "demo", *arguments, seconds=seconds
        )

    def up(self) -> None:
        """Build, start, and wait until everything that has a health check is healthy."""
        self.down()
        self.compose("up", "-d", "--build", "--wait", seconds=UP_SECONDS)

    def down(self) -> None:
        """Take everything away, the volumes too."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", second_login=True)

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers, ended ones too."""
        return self.compose("ps", "-aq", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        """What the engine knows of a container."""
        (about,) = json.loads(self._run("inspect", container))
        return dict(about)

    def everything(self) -> dict[str, list[str]]:
        """What the engine still has of this project, by kind."""
        label = f"label=com.docker.compose.project={PROJECT}"
        return {
            "containers": self._run("ps", "-aq", "--filter", label).split(),
            "volumes": self._run("volume", "ls", "-q", "--filter", label).split(),
            "networks": self._run("network", "ls", "-q", "--filter", label).split(),
        }

    def log(self, container: str) -> list[Mapping[str, Any]]:
        """The JSON lines a container wrote."""
        lines = self._run("logs", container, both=True).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def gateway(self, question: str) -> Any:
        """The simulated gateway's own answer, such as its ledger."""
        program = f"import urllib.request as u; print(u.urlopen('{CONTROL}/{question}', timeout=10).read().decode())"
        return json.loads(self.compose("exec", "-T", "simulated-gateway", "python", "-c", program))

    def run_in(self, service: str, *command: str) -> str:
        """A command in a running container."""
        return self.compose("exec", "-T", service, *command)

    def run_engine(self, *command: str) -> str:
        """A command of the engine itself, such as the restart of one container."""
        return self._run(*command)

    def tails(self) -> str:
        """The last words of every container."""
        return self.compose("logs", "--tail", "25", "--no-color")

    def _run(self, *arguments: str, seconds: float = COMMAND_SECONDS, both: bool = False) -> str:
        done = subprocess.run(
            ["docker", *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout[-3000:]} {done.stderr[-3000:]}"
        return done.stdout + done.stderr if both else done.stdout
