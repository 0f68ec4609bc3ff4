"""``compose.yaml`` and its scripts say what the settings and the documentation say."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from broker_worker.settings import WorkerSettings
from docs.compose_variables import COMPOSE_VARIABLES
from mcp_frontend.settings import FrontendSettings
from shared.settings import BridgeSettings

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SECOND_LOGIN = (ROOT / "deploy" / "compose" / "second-login.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DEFAULTS = {variable.name: variable.default for variable in COMPOSE_VARIABLES}
NOT_A_VALUE = {"COMPOSE_PROFILES"}
"""Read by docker compose itself."""
FIXED = {"SERVER_PORT"}
"""Of the frontend: inside its container the port is always the same; outside it is the load balancer's."""


def _used() -> set[tuple[str, str]]:
    plain = re.findall(r"\$\{([A-Z_]+):-([^{}]*)\}", TEXT + SECOND_LOGIN)
    return {(name, default) for name, default in plain}


@pytest.mark.parametrize(("service", "cls"), [("mcp-frontend", FrontendSettings), ("broker-worker", WorkerSettings)])
def test_every_setting_reaches_its_process(service: str, cls: type[BridgeSettings]) -> None:
    given = SERVICES[service]["environment"]
    assert {name.upper() for name in cls.model_fields} - FIXED == set(given) - {"SECRETS_DIR"}


def test_every_variable_is_documented_with_the_default_it_has() -> None:
    settings = {name.upper() for cls in (FrontendSettings, WorkerSettings) for name in cls.model_fields}
    own = {(name, default) for name, default in _used() if name not in settings}
    assert own == {(name, default) for name, default in DEFAULTS.items() if name not in NOT_A_VALUE}


def test_the_services_have_the_names_that_others_rely_on() -> None:
    assert set(SERVICES) == {
        "load-balancer", "mcp-frontend", "broker-worker", "redis", "ib-gateway", "simulated-gateway", "secrets",
    }  # fmt: skip
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {"ib-gateway": ["gateway"], "simulated-gateway": ["demo"]}


def test_nothing_is_published_beyond_this_machine_by_default() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert sorted(published) == [
        "${BIND_ADDRESS:-127.0.0.1}:${SERVER_PORT:-8080}:8080",
        "127.0.0.1:${VNC_PORT:-5900}:5900",
    ]


def _started(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the gateway's image is given."""
    (tmp_path / "run.sh").write_text("#!/bin/sh\nenv\n")
    (tmp_path / "run.sh").chmod(0o755)
    logins = {"LIVE_USERID": "", "LIVE_PASSWORD": "", "PAPER_USERID": "", "PAPER_PASSWORD": "", "READ_ONLY": ""}
    return subprocess.run(
        ["bash", str(ROOT / "deploy" / "compose" / "ib-gateway-start")],
        env={"PATH": os.environ["PATH"], "SCRIPT_PATH": str(tmp_path), "PAUSE": "0", **logins, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("mode", "login"), [("live", "lucy"), ("paper", "paul")])
def test_the_gateway_gets_the_login_of_its_mode_and_no_other(tmp_path: Path, mode: str, login: str) -> None:
    both = {"LIVE_USERID": "lucy", "LIVE_PASSWORD": "l", "PAPER_USERID": "paul", "PAPER_PASSWORD": "p"}
    shown = _started(tmp_path, TRADING_MODE=mode, **both)
    given = dict(line.split("=", 1) for line in shown.stdout.splitlines())
    assert (given["TWS_USERID"], given["TWS_PASSWORD"]) == (login, login[0])
    assert not {"LIVE_USERID", "LIVE_PASSWORD", "PAPER_USERID", "PAPER_PASSWORD"} & given.keys()


@pytest.mark.parametrize(
    ("word", "handed_on"), [("true", "yes"), ("YES", "yes"), ("1", "yes"), ("", "no"), ("off", "no")]
)
def test_the_gateways_own_read_only_switch_is_handed_on_in_its_words(tmp_path: Path, word: str, handed_on: str) -> None:
    shown = _started(tmp_path, TRADING_MODE="paper", PAPER_USERID="paul", PAPER_PASSWORD="p", READ_ONLY=word)
    assert f"READ_ONLY_API={handed_on}\n" in shown.stdout


def test_a_missing_login_is_named(tmp_path: Path) -> None:
    ended = _started(tmp_path, TRADING_MODE="paper")
    assert ended.returncode == 1
    assert "IBKR_USERID_PAPER and IBKR_PASSWORD_PAPER" in ended.stderr
