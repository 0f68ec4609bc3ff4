"""One replay: a transcript's jobs, run at the moments they were run, by a worker whose gateway is a recording."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, cast

from pydantic import SecretStr

from broker_worker.bootstrap import BrokerWorker, build, link_config_of
from broker_worker.gateway.outages import Outages
from broker_worker.replaying.comparing import Comparison, Difference
from broker_worker.replaying.loop import MemorySink, MemoryTransport, ReplayClock, ReplayLoop
from broker_worker.replaying.memory import MemoryStore, OwnLease
from broker_worker.settings import WorkerSettings
from broker_worker.transcript import REMEMBERED, VERSION
from shared import clock
from shared.envelope import VERSION as ENVELOPE_VERSION
from shared.envelope import Envelope, seal
from shared.queue.job import Done, Job
from shared.redis_keys import Keys

log = logging.getLogger(__name__)

_FOREVER = 1e9
_LONG = 60.0
_AT_ONCE = 0.01
_SECRET = SecretStr("a replay trusts itself alone")


class UnreadableTranscript(Exception):
    """The file is not a transcript, or one of a newer release."""


class Gateway(Protocol):
    """A recording that answers: the simulated gateway's player."""

    began: datetime

    @property
    def next_opens_at(self) -> float | None:
        """Seconds after ``began`` at which the recorded worker connected next; None where it did not again."""
        ...

    async def serve(self, reader: asyncio.StreamReader, sink: MemorySink) -> None:
        """Answer one connection until it ends."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedJob:
    """One line of a transcript."""

    began: datetime
    took: timedelta
    content: Mapping[str, Any]

    @property
    def operation(self) -> str:
        """What was asked."""
        return str(self.content["operation"])

    def job(self, session: str, secret: bytes) -> Job:
        """The job as a frontend would put it."""
        content = self.content
        envelope = Envelope(
            v=ENVELOPE_VERSION,
            accounts=content.get("accounts"),
            authenticated=bool(content.get("authenticated")),
            session=session,
            operation=content["operation"],
            arguments=content["arguments"],
            caller=content["caller"],
            scopes=content["scopes"],
            deadline_ms=content["deadline_ms"],
            request_id=content["request_id"],
            reply_to="replay",
        )
        body, signature = seal(envelope, secret)
        return Job(envelope.request_id, body, signature, bool(content["trades"]), _no_progress)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one job."""

    job: RecordedJob
    answer: Any
    difference: Difference | None


async def _no_progress(_channel: str, _text: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript that was read."""

    settings: Mapping[str, Any]
    jobs: list[RecordedJob]
    refused: int
    """Lines of what was no job; they have no answer to compare."""

    @classmethod
    def read(cls, path: Path) -> Transcript:
        """Read a file; raises ``UnreadableTranscript`` and ``OSError``."""
        with path.open() as file:
            lines = _objects(file, path)
            head = next(lines, None) or dict[str, Any]()
            version = head.get("transcript")
            if not isinstance(version, int) or version > VERSION:
                raise UnreadableTranscript(f"{path} is not a transcript of format 1 to {VERSION}")
            rows = list(lines)
        jobs = [
            RecordedJob(datetime.fromisoformat(row["began"]), _between(row["began"], row["ended"]), row)
            for row in rows
            if "operation" in row
        ]
        settings = {name: value for name, value in head["settings"].items() if name in REMEMBERED}
        return cls(settings, sorted(jobs, key=lambda job: job.began), len(rows) - len(jobs))


def _objects(file: Any, path: Path) -> Iterator[dict[str, Any]]:
    for number, text in enumerate(file, 1):
        try:
            yield cast("dict[str, Any]", json.loads(text))
        except ValueError as error:
            raise UnreadableTranscript(f"{path}: line {number} is no JSON object") from error


def _between(one: str, other: str) -> timedelta:
    return datetime.fromisoformat(other) - datetime.fromisoformat(one)


def replay(transcript: Transcript, gateway_for: Callable[[asyncio.AbstractEventLoop], Gateway]) -> list[Outcome]:
    """Run every job; the outcomes in the sequence in which the jobs began. Two runs give the same."""
    loop = ReplayLoop()
    try:
        return loop.run_until_complete(_Replay(loop, transcript, gateway_for(loop)).run())
    finally:
        loop.close()


class _Replay:
    def __init__(self, loop: ReplayLoop, transcript: Transcript, gateway: Gateway) -> None:
        self._loop = loop
        self._transcript = transcript
        self._gateway = gateway
        self._connections: set[asyncio.Task[None]] = set()
        loop.connect = self._connect

    async def _connect(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """A connection at the moment at which the recorded one was opened."""
        opens_at = self._gateway.next_opens_at
        if opens_at is None:
            await asyncio.sleep(_LONG)
            raise ConnectionRefusedError("the recording ends here")
        await asyncio.sleep(opens_at - self._loop.time())
        transport = MemoryTransport(self._loop, protocol)
        task = self._loop.create_task(self._gateway.serve(transport.reader, transport.sink))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        return transport

    async def run(self) -> list[Outcome]:
        with ExitStack() as stack:
            stack.enter_context(clock.by(ReplayClock(self._gateway.began, self._loop)))
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="replay-")))
            worker = await self._build(folder)
            await worker.sent_file.open()
            await worker.cache_file.open()
            supporting = [
                self._loop.create_task(work)
                for work in (worker.link.run(), worker.recorder.keep(), worker.quotes.sweep())
            ]
            try:
                jobs = [self._loop.create_task(self._run_one(worker, job)) for job in self._transcript.jobs]
                answers = await asyncio.gather(*jobs)
            finally:
                await worker.placer.drain(0)
                ending = [*supporting, *self._connections]
                for task in ending:
                    task.cancel()
                await asyncio.gather(*ending, return_exceptions=True)
                await worker.sent_file.close()
                await worker.cache_file.close()
                await worker.store.close()
        return self._outcomes(answers)

    def _outcomes(self, answers: list[Any]) -> list[Outcome]:
        comparison = Comparison()
        return [
            Outcome(job, answer, comparison.first_difference(job.content["answer"], answer, job.took))
            for job, answer in zip(self._transcript.jobs, answers, strict=True)
        ]

    async def _build(self, folder: Path) -> BrokerWorker:
        settings = WorkerSettings(
            **{name: self._transcript.settings[name] for name in REMEMBERED if name in self._transcript.settings},
            job_signing_secret=_SECRET,
            state_dir=folder,
            require_durable_redis=False,
            transcript_file=None,
        )
        store = MemoryStore()
        lease = OwnLease(store, Keys(settings.gateway_session))
        await lease.take()
        # The worker comes back when it came back then, however long it paused.
        config = link_config_of(settings, Outages(settings.restart_time, settings.zone))
        patient = replace(
            config, connect_limit=_FOREVER, first_pause=_AT_ONCE, longest_pause=_AT_ONCE, ghost_pause=_AT_ONCE
        )
        return build(settings, store, patient, lease=lease)

    async def _run_one(self, worker: BrokerWorker, recorded: RecordedJob) -> Any:
        wait = (recorded.began - clock.now()).total_seconds()
        if wait > 0:
            await asyncio.sleep(wait)
        secret = worker.settings.job_signing_secret.get_secret_value().encode()
        done: Done = await worker.run_job(recorded.job(worker.settings.gateway_session, secret))
        return json.loads(done.answer)
