"""What the documentation says, the code says too."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from dotenv import dotenv_values

from broker_worker.settings import WorkerSettings
from demo.words import client_lines
from docs import tables
from docs.compose_variables import COMPOSE_VARIABLES
from mcp_frontend.settings import FrontendSettings
from shared.contract import OPERATIONS

ROOT = tables.ROOT
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")],
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
FROM_OUTSIDE = {
    "SECRETS_DIR",
    "TWOFA_TIMEOUT_ACTION",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_TRACES_SAMPLER",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
}
"""Not settings: a folder of settings, a variable of IB Gateway's image, and OpenTelemetry's own."""
ENDPOINT = "http://127.0.0.1:8080/mcp"


def _settings_names() -> set[str]:
    return {name.upper() for cls in (FrontendSettings, WorkerSettings) for name in cls.model_fields}


def test_readme_tables_and_env_example_are_what_the_code_says() -> None:
    assert tables.stale() == [], "run .venv/bin/python -m docs.tables --write"


def test_every_tool_is_in_the_readme() -> None:
    assert [name for name in OPERATIONS if f"| `{name}` |" not in README] == []


def test_a_part_without_markers_is_an_error_and_not_an_empty_table() -> None:
    with pytest.raises(ValueError, match="tools"):
        tables.between("no markers here", "tools", "content")


def test_env_example_makes_valid_read_only_settings() -> None:
    read = dotenv_values(ROOT / ".env.example")
    assert _settings_names() <= read.keys()
    for cls in (FrontendSettings, WorkerSettings):
        given = {name: read[name.upper()] for name in cls.model_fields if read[name.upper()]}
        settings = cls.model_validate(given)
        defaults = {name: field.get_default() for name, field in cls.model_fields.items()}
        more = {"readonly": True, "ibkr_auto_restart_time": "11:45 PM"}
        assert settings.model_dump() == defaults | {name: value for name, value in more.items() if name in defaults}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone whose worker prints its environment."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "run", tmp_path / "scripts")
    (tmp_path / "scripts" / "install").write_text("#!/bin/sh\n")
    (tmp_path / "scripts" / "install").chmod(0o755)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "broker_worker").mkdir()
    (tmp_path / "broker_worker" / "__main__.py").write_text(
        "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    )
    return tmp_path


def _run_worker(checkout: Path, *words: str, **environment: str) -> tuple[list[str], dict[str, str]]:
    packages = os.pathsep.join(path for path in sys.path if "site-packages" in path)
    shown = subprocess.run(
        [checkout / "scripts" / "run", "worker", *words],
        cwd=checkout, env={"PATH": os.environ["PATH"], "PYTHONPATH": packages} | environment,
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    given, seen = json.loads(shown.stdout)
    return given, seen


def test_what_is_set_in_the_environment_wins_over_the_file(checkout: Path) -> None:
    (checkout / ".env").write_text("READONLY=false\nGATEWAY_SESSION=main\n")
    given, seen = _run_worker(checkout, "audit", "--last", "3", READONLY="true")
    assert given == ["audit", "--last", "3"]
    assert (seen["READONLY"], seen["GATEWAY_SESSION"]) == ("true", "main")


def test_the_file_is_read_and_not_carried_out(checkout: Path) -> None:
    (checkout / ".env").write_text("IBKR_PASSWORD='pa$(touch ran)ss #1'\nOTHER=pa(ss&word;\nEMPTY=\n")
    _, seen = _run_worker(checkout)
    assert (seen["IBKR_PASSWORD"], seen["OTHER"], seen["EMPTY"]) == ("pa$(touch ran)ss #1", "pa(ss&word;", "")
    assert not (checkout / "ran").exists()


def test_a_line_that_is_no_setting_stops_the_start(checkout: Path) -> None:
    (checkout / ".env").write_text("# a comment\n\nGATEWAY_SESSION=main\nREADONLY true\n")
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        _run_worker(checkout)
    assert "NAME=value: 4" in stopped.value.stderr
    assert "READONLY" not in stopped.value.stderr, "such a line may be a secret"


def test_without_a_file_the_environment_is_all(checkout: Path) -> None:
    _, seen = _run_worker(checkout, READONLY="true")
    assert seen["READONLY"] == "true"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_script_and_make_target_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    scripts = set(re.findall(r"\bscripts/([a-z-]+)\b", text))
    targets = set(re.findall(r"`make ([a-z-]+)", text))
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {name for name in scripts if not os.access(ROOT / "scripts" / name, os.X_OK)} == set()
    assert targets - made == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_configuration_snippet_parses(page: Path) -> None:
    for language, snippet in re.findall(r"```(json|toml)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        json.loads(snippet) if language == "json" else tomllib.loads(snippet)


def test_the_client_page_says_what_the_demo_prints() -> None:
    page = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    missing = [name for name, text in client_lines(ENDPOINT) if text.split("   in ")[0] not in page]
    assert missing == []


def test_every_setting_the_pages_name_exists() -> None:
    known = _settings_names() | {variable.name for variable in COMPOSE_VARIABLES} | FROM_OUTSIDE
    for page in PAGES:
        named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", page.read_text(encoding="utf-8")))
        errors = {"KEY_REUSED", "WORKER_DOWN"}
        assert named - errors - known == set(), page.name


def test_every_direct_dependency_is_explained() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for file in ("requirements.in", "requirements-frontend.in", "requirements-worker.in", "requirements-dev.in"):
        names = re.findall(r"^[A-Za-z][A-Za-z0-9_-]*", (ROOT / file).read_text(), re.MULTILINE)
        assert [name for name in names if not re.search(rf"\b{name}\b", page)] == []


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements*.lock")))
def test_a_lock_pins_everything_by_hash_and_names_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text()
    pins = re.findall(r"^[a-z0-9._-]+==.*?(?=^[a-z]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(pins) > 15
    assert [pin for pin in pins if "--hash=sha256:" not in pin] == []
    assert not re.search(r"https?://|index-url|--find-links", text)


def test_what_the_lock_installed_lacks_nothing_that_a_package_of_it_needs() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
