from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from simulated_gateway import ManualClock

START = datetime(2025, 11, 19, 16, 0, tzinfo=UTC)


async def test_time_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock(START)
    sleeper = asyncio.create_task(clock.sleep(60))
    await asyncio.sleep(0)
    clock.advance(59)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not sleeper.done()
    clock.advance(1)
    await asyncio.wait_for(sleeper, 1)
    assert clock.now() == START + timedelta(seconds=60)


async def test_a_running_clock_moves_by_itself_too() -> None:
    clock = ManualClock(START, running=True)
    await asyncio.wait_for(clock.sleep(0.01), 1)
    assert clock.now() > START


def test_time_does_not_go_back_and_has_a_zone() -> None:
    with pytest.raises(ValueError, match="back"):
        ManualClock(START).advance(-1)
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2025, 11, 19))  # noqa: DTZ001 - the mistake that is refused
