"""Recorded jobs, run again against the recorded gateway by a worker alone, are answered as they were."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from broker_worker.settings import WorkerSettings
from shared.contract.status import LinkState

from .bridge import RecordedBridge
from .conftest import text_of
from .hundred_days import an_agents_day, ask, in_a_thread


@pytest.fixture
async def day(tmp_path: Path) -> RecordedBridge:
    """A recorded day, which is over."""
    async with RecordedBridge(tmp_path) as bridge:
        await an_agents_day(bridge)
    return bridge


async def test_every_answer_is_the_same_and_two_replays_are_the_same_to_the_letter(day: RecordedBridge) -> None:
    outcomes, unmatched = in_a_thread(day)
    assert [f"{one.job.operation}: {one.difference}" for one in outcomes if one.difference] == []
    assert len(outcomes) == 18
    assert unmatched == []
    again, _ = in_a_thread(day)
    assert [one.answer for one in again] == [one.answer for one in outcomes]


async def test_a_day_with_a_lost_link_is_the_same(tmp_path: Path) -> None:
    async with RecordedBridge(tmp_path) as bridge:
        await ask(bridge, "get_positions")
        bridge.gateway.control.drop_links()
        await bridge.in_state(LinkState.LINK_LOST, LinkState.PLANNED_OUTAGE)
        await ask(bridge, "get_account_summary")
        await bridge.ready()
        await ask(bridge, "get_positions")
        await ask(bridge, "get_stock_price", symbol="AAPL")
    outcomes, _ = in_a_thread(bridge)
    assert [f"{one.job.operation}: {one.difference}" for one in outcomes if one.difference] == []


async def test_nobody_can_be_recognised_in_the_transcript(day: RecordedBridge) -> None:
    text = text_of(day.transcript)
    perm_ids = [str(order.perm_id) for order in day.gateway.control.orders()]
    assert [secret for secret in ("DU1234567", "alice", *perm_ids) if secret in text] == []
    # The same account has the same name in both files.
    assert set(re.findall(r"DU\d+", text)) == set(re.findall(r"DU\d+", text_of(day.recording)))
    assert stat.S_IMODE(os.stat(day.transcript).st_mode) == 0o600  # noqa: PTH116


async def test_the_first_difference_is_named_by_its_field(day: RecordedBridge, tmp_path: Path) -> None:
    changed = tmp_path / "changed.jsonl"
    rewrite(day.transcript, changed, '"net_liquidation":{"tag":"NetLiquidation","value":', "1")
    done = await command("--jobs", str(changed), "--gateway", str(day.recording))
    assert done[0] == 1
    assert "get_account_summary of " in done[1]
    assert re.search(r": answer\.result\.net_liquidation\.value: recorded 1\d+\.\d+, replayed \d+\.\d+\n", done[1])
    assert done[1].endswith("18 jobs, 17 answered as recorded, 1 differently\n")


async def test_what_the_worker_asks_beyond_the_recording_is_named(day: RecordedBridge, tmp_path: Path) -> None:
    changed = tmp_path / "changed.jsonl"
    rewrite(day.transcript, changed, '"pattern":"AAP', "Z")
    code, said, _ = await command("--jobs", str(changed), "--gateway", str(day.recording))
    assert code == 1
    assert "not in the recording: reqMatchingSymbols: the nearest, at " in said
    assert "differs in: pattern is 'AAPZ', was 'AAP'" in said


async def test_the_command_needs_no_settings_and_no_redis(day: RecordedBridge) -> None:
    code, said, complaint = await command("--jobs", str(day.transcript), "--gateway", str(day.recording))
    assert (code, complaint) == (0, "")
    assert said == "18 jobs, 18 answered as recorded, 0 differently\n"


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"transcript":2,"settings":{}}'])
async def test_a_file_that_is_no_transcript_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path / "jobs.jsonl", text)
    write(tmp_path / "gateway.jsonl", text)
    code, _, complaint = await command("--jobs", str(tmp_path / "jobs.jsonl"), "--gateway", str(tmp_path / "x"))
    assert code == 2
    assert complaint.startswith("replay: ")
    assert "Traceback" not in complaint


def test_a_transcript_without_a_salt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="RECORDING_SALT of at least 8"):
        WorkerSettings(transcript_file=tmp_path / "jobs.jsonl")


async def command(*arguments: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broker_worker", "replay", *arguments),
        env={"PATH": os.environ["PATH"], "REDIS_URL": "redis://127.0.0.1:1/0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(40):
        said, complaint = await process.communicate()
    return process.returncode, said.decode(), complaint.decode()


def write(path: Path, text: str) -> None:
    path.write_text(text + "\n")


def rewrite(path: Path, to: Path, after: str, inserted: str) -> None:
    """A copy of a file with something inserted after the first place where a text stands."""
    text = path.read_text()
    assert after in text
    to.write_text(text.replace(after, after + inserted, 1))
