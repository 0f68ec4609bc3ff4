"""``python -m tests.queue.child URL NAME [hold]``: a worker process to be killed; prints what it holds and begins."""

from __future__ import annotations

import asyncio
import sys

from shared.envelope import Envelope
from shared.queue.job import Job
from tests.queue.house import Desk, leading


async def main(url: str, name: str, *, hold: bool) -> None:
    async def play(envelope: Envelope, _: Job) -> None:
        print("begun", envelope.request_id, flush=True)
        if hold:
            await asyncio.Event().wait()

    async with leading(url, Desk(play), name=name) as worker:
        print("leads", worker.lease.epoch, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], hold="hold" in sys.argv[3:]))
