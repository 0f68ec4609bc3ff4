"""The worker's environment: understood in every usual word, and never guessed."""

from __future__ import annotations

from datetime import time

import pytest

from broker_worker.settings import WorkerSettings
from shared.settings import FALSE_WORDS, TRUE_WORDS, load


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WorkerSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def _stopped() -> str:
    with pytest.raises(SystemExit) as stopped:
        load(WorkerSettings)
    return str(stopped.value)


def test_the_documented_defaults_hold() -> None:
    settings = load(WorkerSettings)
    assert (settings.ibkr_trading_mode, settings.ibkr_host, settings.ibkr_client_id) == ("paper", "127.0.0.1", 1)
    assert (settings.ibkr_gateway_live_port, settings.ibkr_gateway_paper_port) == (4003, 4004)
    assert (settings.readonly, settings.ibkr_read_only_api) == (False, False)


@pytest.mark.parametrize(("mode", "port"), [("paper", 4004), ("live", 4003), ("LIVE", 4003), (" Paper ", 4004)])
def test_the_mode_chooses_the_port(mode: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBKR_TRADING_MODE", mode)
    assert load(WorkerSettings).gateway_port == port


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("IBKR_TRADING_MODE", "real"),
        ("IBKR_GATEWAY_LIVE_PORT", "0"),
        ("IBKR_GATEWAY_PAPER_PORT", "65536"),
        ("IBKR_GATEWAY_PAPER_PORT", "four thousand"),
        ("IBKR_CLIENT_ID", "-1"),
        ("IBKR_CLIENT_ID", "1.5"),
        ("IBKR_READ_ONLY_API", "perhaps"),
        ("IBKR_TIME_ZONE", "Mars/Olympus"),
        ("IBKR_AUTO_RESTART_TIME", "25:00"),
        ("IBKR_AUTO_RESTART_TIME", "13:00 PM"),
        ("MAX_MESSAGES_PER_SECOND", "51"),
        ("MAX_MARKET_DATA_LINES", "0"),
        ("GATEWAY_SESSION", "Main:1"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("LOG_LEVEL", "LOUD"),
        ("JOB_SIGNING_SECRET", "short"),
    ],
)
def test_a_wrong_value_stops_the_process_and_names_its_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    said = _stopped()
    assert variable in said
    assert "http" not in said.replace("http://127.0.0.1", "")
    assert "pydantic" not in said.lower()


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBKR_CLIENT_ID", "x")
    monkeypatch.setenv("READONLY", "x")
    said = _stopped()
    assert "IBKR_CLIENT_ID" in said
    assert "READONLY" in said


def test_a_secret_is_not_repeated_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_SIGNING_SECRET", "hunter2")
    monkeypatch.setenv("READONLY", "x")
    assert "hunter2" not in _stopped()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("11:45 PM", time(23, 45)), ("12:05 AM", time(0, 5)), ("12:05 pm", time(12, 5)), ("23:45", time(23, 45)),
        ("1:05AM", time(1, 5)), ("", None),
    ],
)  # fmt: skip
def test_the_restart_time_is_read_in_both_clocks(
    written: str, meant: time | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBKR_AUTO_RESTART_TIME", written)
    assert load(WorkerSettings).restart_time == meant


@pytest.mark.parametrize("word", ["maybe", "treu", "2", "enabled", "y", "t", "f", "null", "-"])
def test_an_unknown_word_stops_the_process(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READONLY", word)
    with pytest.raises(SystemExit) as stopped:
        load(WorkerSettings)
    assert "READONLY must be true" in str(stopped.value)


@pytest.mark.parametrize("word", [*sorted(TRUE_WORDS), "TRUE", " Yes "])
def test_every_word_for_yes_locks(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READONLY", word)
    assert load(WorkerSettings).readonly is True


@pytest.mark.parametrize("word", [*sorted(FALSE_WORDS), "False", ""])
def test_every_word_for_no_and_nothing_at_all_do_not(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READONLY", word)
    assert load(WorkerSettings).readonly is False


def test_live_trading_needs_the_secret_that_signs_jobs() -> None:
    assert WorkerSettings().unsafe is None
    assert "JOB_SIGNING_SECRET" in (WorkerSettings(ibkr_trading_mode="live").unsafe or "")
    assert WorkerSettings.model_validate({"ibkr_trading_mode": "live", "job_signing_secret": "x" * 16}).unsafe is None
