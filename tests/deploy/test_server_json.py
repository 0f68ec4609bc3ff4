"""``server.json``, by which the MCP registry lists the bridge, is of this release and names real settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mcp_frontend.settings import FrontendSettings
from shared import VERSION

SERVER: dict[str, Any] = json.loads((Path(__file__).parent.parent.parent / "server.json").read_text())


def test_it_is_of_this_release() -> None:
    assert SERVER["version"] == VERSION
    assert all(package["identifier"].endswith(f":{VERSION}") for package in SERVER["packages"])


def test_it_keeps_the_registrys_limits() -> None:
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", SERVER["name"])
    assert len(SERVER["description"]) <= 100
    assert len(SERVER["title"]) <= 100


def test_its_variables_are_settings_and_its_secrets_are_marked() -> None:
    variables = [variable for package in SERVER["packages"] for variable in package["environmentVariables"]]
    assert {variable["name"].lower() for variable in variables} <= set(FrontendSettings.model_fields)
    assert {variable["name"] for variable in variables if variable.get("isSecret")} == {
        "REDIS_URL",
        "JOB_SIGNING_SECRET",
    }
