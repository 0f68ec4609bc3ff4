"""A time limit ends what takes too long, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from shared.time_limit import GRAIN, TimeLimits


async def forever() -> None:
    await asyncio.Event().wait()


async def limited(limits: TimeLimits, *seconds: float) -> None:
    """Wait for ever, inside one limit after the other; in none, for nothing."""
    if not seconds:
        return await forever()
    with limits.within(seconds[0]):
        return await limited(limits, *seconds[1:])


async def test_what_takes_too_long_is_cancelled_and_says_so() -> None:
    with pytest.raises(TimeoutError):
        await limited(TimeLimits(), 0.01)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "the task goes on as if it had never been cancelled"


async def test_what_is_done_in_time_is_left_alone_when_its_time_comes() -> None:
    limits = TimeLimits()
    with limits.within(0.01):
        pass
    await asyncio.sleep(3 * GRAIN)
    assert not limits._ending


@pytest.mark.parametrize("seconds", [(-1,), (10, 0.01), (0.01, 10), (0.01, 0.01)])
async def test_the_first_limit_to_end_ends_what_waits(seconds: tuple[float, ...]) -> None:
    with pytest.raises(TimeoutError):
        await limited(TimeLimits(), *seconds)


async def test_the_outer_block_goes_on_where_only_the_inner_one_ended() -> None:
    limits = TimeLimits()
    with limits.within(10):
        with pytest.raises(TimeoutError):
            await limited(limits, 0.01)
        await asyncio.sleep(0)


async def test_whoever_is_cancelled_at_the_same_time_stays_cancelled() -> None:
    async def cancelled_too() -> None:
        with TimeLimits().within(0.01):
            try:
                await forever()
            except asyncio.CancelledError:
                task.cancel()
                raise

    task = asyncio.create_task(cancelled_too())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_at_the_last_moment_is_not_hidden() -> None:
    async def failing() -> None:
        with TimeLimits().within(0.01):
            try:
                await forever()
            except asyncio.CancelledError:
                raise KeyError("lost") from None

    with pytest.raises(KeyError):
        await failing()


async def test_many_that_end_together_share_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, limits = asyncio.get_running_loop(), TimeLimits()
    timers: list[float] = []
    call_at = loop.call_at

    def counted(when: float, *rest: object) -> asyncio.TimerHandle:
        timers.append(when)
        return call_at(when, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_at", counted)
    for _ in range(1000):
        with limits.within(5):
            pass
    assert len(timers) <= 1 + 1 / GRAIN
