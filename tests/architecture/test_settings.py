"""The settings of both processes: explained in one table, and every mistake named by its variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker_worker.settings import WorkerSettings
from mcp_frontend.settings import FrontendSettings
from shared.settings import BridgeSettings, load, table

BOTH = (FrontendSettings, WorkerSettings)
DOCUMENTED = {
    "IBKR_TRADING_MODE": "paper", "IBKR_HOST": "127.0.0.1", "IBKR_GATEWAY_LIVE_PORT": "4003",
    "IBKR_GATEWAY_PAPER_PORT": "4004", "IBKR_CLIENT_ID": "1", "SERVER_PORT": "8080", "READONLY": "false",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for cls in BOTH:
        for name in cls.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("cls", BOTH)
def test_an_empty_environment_is_enough(cls: type[BridgeSettings]) -> None:
    assert load(cls).readonly is False


@pytest.mark.parametrize("cls", BOTH)
def test_an_empty_variable_counts_as_unset(cls: type[BridgeSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in cls.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert load(cls) == cls()


@pytest.mark.parametrize("cls", BOTH)
def test_every_setting_is_described(cls: type[BridgeSettings]) -> None:
    assert [name for name, field in cls.model_fields.items() if not field.description] == []


def test_the_table_has_the_documented_names_and_defaults() -> None:
    rows = {
        cells[1].strip(" `"): cells[2].strip(" `")
        for line in table(*BOTH).splitlines()[2:]
        if (cells := line.split("|"))
    }
    assert DOCUMENTED.items() <= rows.items()
    assert "REDIS_URL" in rows


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("name", ["READONLY", "REDIS_URL", "GATEWAY_SESSION", "LOG_LEVEL"])
def test_a_wrong_value_is_named_by_its_variable(
    cls: type[BridgeSettings], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "?!")
    with pytest.raises(SystemExit) as stopped:
        load(cls)
    assert f"\n  {name} " in str(stopped.value)


def test_a_secret_never_shows_in_the_table_or_a_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_SIGNING_SECRET", "a very secret secret")
    assert "very secret" not in repr(load(WorkerSettings)) + table(*BOTH)


def test_what_the_environment_leaves_out_may_stand_in_a_folder_of_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "job_signing_secret").write_text("from a file, long enough\n")
    (tmp_path / "redis_url").write_text("redis://:word@redis:6379/0")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("JOB_SIGNING_SECRET", "")
    settings = load(WorkerSettings)
    assert settings.job_signing_secret.get_secret_value() == "from a file, long enough"
    assert settings.redis_url == "redis://:word@redis:6379/0"
    monkeypatch.setenv("JOB_SIGNING_SECRET", "from the environment")
    assert load(WorkerSettings).job_signing_secret.get_secret_value() == "from the environment"


def test_a_folder_of_secrets_that_is_not_there_stops_the_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(SystemExit, match="SECRETS_DIR must be a folder"):
        load(WorkerSettings)
