"""Empty jobs: against a two-hop ping-pong through the same Redis, and against stock arq; an idle worker; CPU a job."""

from __future__ import annotations

import asyncio

from benchmarks.calls import Caller, HttpCaller, PingPong, StockArq, Timed, timed
from benchmarks.figures import Figure, median, ms
from benchmarks.system import System, cpu_seconds

CROWD = 64
ARQ_SHARE = 8
"""Stock arq is given an eighth of the jobs: still a second or two of them."""


async def one_caller(system: System, caller: Caller, *, repeats: int, rounds: int) -> Figure:
    """Taken in turns, so that a noisy neighbour disturbs both alike."""
    ping = PingPong(system.url)
    await timed(ping.once, 50)
    await timed(caller.empty, 50)
    pairs = [(await timed(caller.empty, rounds), await timed(ping.once, rounds)) for _ in range(repeats)]
    await ping.close()
    job, floor = median([one.p50 for one, _ in pairs]), median([one.p50 for _, one in pairs])
    return Figure(
        what="empty job, 1 caller, p50",
        measured=ms(job),
        reference=f"two-hop ping-pong {ms(floor)}",
        ratio=median([one.p50 / other.p50 for one, other in pairs]),
        bound=2.5,
        details={"job_p50": job, "floor_p50": floor},
    )


async def a_crowd(system: System, caller: Caller, *, repeats: int, rounds: int) -> list[Figure]:
    """64 callers, each contender alone; then what the worker's side costs, against a frontend's tool call."""
    ping, arq, arq_worker = PingPong(system.url), StockArq(system.url), await system.stock_arq()
    with arq_worker.at_work():
        await timed(arq.once, 20)
    runs: list[tuple[Timed, Timed, Timed]] = []
    cpu, jobs = 0.0, 0
    for _ in range(repeats):
        before = cpu_seconds(system.worker)
        job = await timed(caller.empty, rounds, CROWD)
        cpu += cpu_seconds(system.worker) - before
        jobs += len(job.seconds)
        floor = await timed(ping.once, rounds, CROWD)
        with arq_worker.at_work():
            stock = await timed(arq.once, rounds // ARQ_SHARE, CROWD)
        runs.append((job, floor, stock))
    await ping.close()
    await arq.close()
    rates = [median([run[column].rate for run in runs]) for column in range(3)]
    figures = [
        Figure(
            what=f"empty jobs, {CROWD} callers",
            measured=f"{rates[0]:,.0f}/s",
            reference=f"two-hop ping-pong {rates[1]:,.0f}/s",
            ratio=median([job.rate / floor.rate for job, floor, _ in runs]),
            bound=1.0,
            side="at least",
            details={"jobs_per_s": rates[0], "floor_per_s": rates[1]},
        ),
        Figure(
            what=f"empty jobs, {CROWD} callers",
            measured=f"{rates[0]:,.0f}/s",
            reference=f"stock arq polling at 1 ms {rates[2]:,.0f}/s",
            ratio=median([job.rate / arqs.rate for job, _, arqs in runs]),
            bound=10.0,
            side="at least",
            details={"arq_per_s": rates[2]},
        ),
    ]
    http = HttpCaller(system.http_port, "get_positions")
    await timed(http.once, 50, 8)
    before = cpu_seconds(system.frontend)
    calls = await timed(http.once, rounds // 4, 16)
    per_call = (cpu_seconds(system.frontend) - before) / len(calls.seconds)
    await http.close()
    per_job = cpu / jobs
    figures.append(
        Figure(
            what=f"worker CPU for a job, {CROWD} callers",
            measured=ms(per_job),
            reference=f"frontend CPU for a tool call {ms(per_call)}",
            ratio=per_job / per_call,
            bound=0.25,
            details={"per_job": per_job, "per_call": per_call},
        )
    )
    return figures


async def idle(system: System, *, seconds: float) -> Figure:
    """A worker that nobody asks: lease, status, one look at the queue every half second, the gateway's own news."""
    before = cpu_seconds(system.worker)
    await asyncio.sleep(seconds)
    share = (cpu_seconds(system.worker) - before) / seconds
    return Figure(
        what="worker idle",
        measured=f"{share * 100:.2f} % of a core",
        reference=f"{seconds:g} s of the clock",
        ratio=share * 100,
        bound=1.0,
        unit="%",
        details={"share": share},
    )
