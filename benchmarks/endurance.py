"""Very many jobs and calls: memory stays where it was after warming up, and Redis keeps nothing."""

from __future__ import annotations

from collections.abc import Callable

from redis.asyncio import Redis

from benchmarks.calls import Caller, HttpCaller, Once, timed
from benchmarks.figures import Figure
from benchmarks.system import SESSION, System, memory_bytes
from shared.redis_keys import Keys

PARTS = 20
_KEYS = Keys(SESSION)
KEPT = {_KEYS.epoch, _KEYS.sentinel, _KEYS.status, _KEYS.frontends, _KEYS.minutes, _KEYS.link_changes}
"""What a session keeps for good, each bounded, however many calls it serves."""
_NO_EXPIRY = -1
"""Redis's word for it; -2 is a key that went meanwhile."""


async def _grown(
    once: Once, rounds: int, callers: int, pids: dict[str, int], say: Callable[[str], None]
) -> dict[str, float]:
    """Growth of each process's memory in percent, from a fifth of the way, when all is warm, to the end."""
    samples: dict[str, list[int]] = {name: [] for name in pids}
    for part in range(PARTS):
        run = await timed(once, max(rounds // PARTS, callers), callers)
        for name, pid in pids.items():
            samples[name].append(memory_bytes(pid))
        say(
            f"  {part + 1}/{PARTS}: {run.rate:,.0f}/s, "
            + ", ".join(f"{n} {s[-1] >> 20} MiB" for n, s in samples.items())
        )
    warm = PARTS // 5
    return {name: (max(part[-warm:]) / max(part[warm - 1 : warm + 1]) - 1) * 100 for name, part in samples.items()}


async def endurance(
    system: System, caller: Caller, *, jobs: int, calls: int, say: Callable[[str], None]
) -> list[Figure]:
    """The two long runs, and what is left in Redis after them."""
    say(f"{jobs:,} jobs through the queue client")
    by_jobs = await _grown(caller.empty, jobs, 64, {"worker": system.worker}, say)
    http = HttpCaller(system.http_port, "get_positions")
    say(f"{calls:,} calls over HTTP")
    by_calls = await _grown(http.once, calls, 16, {"worker": system.worker, "frontend": system.frontend}, say)
    await http.close()
    figures = [
        Figure(
            what=f"{name}'s memory, {what}",
            measured=f"{growth:+.1f} %",
            reference="after a fifth of them",
            ratio=growth,
            bound=5.0,
            unit="%",
        )
        for grown, what in ((by_jobs, f"{jobs:,} jobs"), (by_calls, f"{calls:,} HTTP calls"))
        for name, growth in grown.items()
    ]
    left = await _lasting(system) - KEPT
    say(f"keys left over: {', '.join(sorted(left)) or 'none'}")
    figures.append(
        Figure(
            what="keys in Redis that never expire",
            measured=f"{len(left)} left over",
            reference=f"beside the {len(KEPT)} of any session",
            ratio=len(left),
            bound=0,
            unit="more",
        )
    )
    return figures


async def _lasting(system: System) -> set[str]:
    """Every key that does not go by itself."""
    async with Redis.from_url(system.url) as redis:
        return {key.decode() async for key in redis.scan_iter("*", count=1000) if await redis.pttl(key) == _NO_EXPIRY}
