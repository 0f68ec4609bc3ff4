"""A tool call over HTTP against the server most people write: FastMCP and ib_async in one process."""

from __future__ import annotations

from benchmarks.calls import HttpCaller, timed
from benchmarks.figures import Figure, median, ms
from benchmarks.system import System, free_port, listens, until


async def positions(system: System, *, repeats: int, rounds: int) -> Figure:
    """The same question, gateway and client; taken in turns."""
    port = free_port()
    await system.child("one_process", str(system.gateway_port), str(port))
    await until(lambda: listens(port))
    ours, theirs = HttpCaller(system.http_port, "get_positions"), HttpCaller(port, "get_positions")
    for caller in (ours, theirs):
        if '"AAPL"' not in (await caller.once()).replace("\\", ""):
            raise RuntimeError("no positions in the answer")
        await timed(caller.once, 30)
    pairs = [(await timed(ours.once, rounds), await timed(theirs.once, rounds)) for _ in range(repeats)]
    await ours.close()
    await theirs.close()
    mine, other = median([one.p50 for one, _ in pairs]), median([one.p50 for _, one in pairs])
    return Figure(
        what="get_positions over HTTP, p50",
        measured=ms(mine),
        reference=f"one process {ms(other)}",
        ratio=median([one.p50 / two.p50 for one, two in pairs]),
        bound=1.5,
        details={"ours_p50": mine, "one_process_p50": other},
    )
