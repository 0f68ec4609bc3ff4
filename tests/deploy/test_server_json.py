"""``server.json``, by which the MCP registry lists the bridge, is of this release and names real settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from mcp_frontend.settings import FrontendSettings
from shared import VERSION

ROOT = Path(__file__).parent.parent.parent
SERVER: dict[str, Any] = json.loads((ROOT / "server.json").read_text())


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


def test_the_release_puts_its_repository_in_the_place_of_the_owner(tmp_path: Path) -> None:
    release = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    steps = {step.get("name"): step for step in release["jobs"]["images"]["steps"]}
    environment = {
        "PATH": os.environ["PATH"],
        "REPOSITORY": "Some-Body/Bridge",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "said"),
    }
    script = steps["Show server.json with this repository's name"]["run"]
    subprocess.run(["bash", "-eu", "-c", script], cwd=ROOT, env=environment, check=True, timeout=20)
    shown = json.loads((tmp_path / "said").read_text().removeprefix("```json\n").removesuffix("```\n"))
    assert shown["name"] == "io.github.Some-Body/Bridge"
    assert [package["identifier"] for package in shown["packages"]] == [f"ghcr.io/some-body/bridge-frontend:{VERSION}"]
    pushed, label = (
        steps["Pin the base images, build, push"]["run"],
        "io.modelcontextprotocol.server.name=io.github.$REPOSITORY",
    )
    assert 'image="ghcr.io/${REPOSITORY,,}-$PART"' in pushed
    assert label in pushed
