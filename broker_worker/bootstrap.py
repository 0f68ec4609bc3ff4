"""What is wired to what in the worker process: the only place that builds its parts."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections import Counter
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker_worker.accounts import AccountDesk
from broker_worker.beacon import keep_status
from broker_worker.cache_file import CacheFile
from broker_worker.contract_desk import ContractDesk
from broker_worker.contracts import ContractBook
from broker_worker.durability import DurabilityWatch
from broker_worker.gateway.budget import MessageBudget
from broker_worker.gateway.link import GatewayLink, LinkConfig
from broker_worker.gateway.outages import Outages
from broker_worker.jobs import JobRunner, Policy
from broker_worker.market_data.desk import MarketDataDesk
from broker_worker.market_data.quotes import QuoteBoard
from broker_worker.metrics import Sight, WorkerMetrics
from broker_worker.minutes import Minutes
from broker_worker.orders.book import OrderBook
from broker_worker.orders.changing import Changer
from broker_worker.orders.desk import OrderDesk
from broker_worker.orders.finding import OrderFinder
from broker_worker.orders.journal import Journal
from broker_worker.orders.placing import Placer
from broker_worker.orders.reconciling import Reconciler
from broker_worker.orders.recording import Recorder
from broker_worker.orders.sending import Sender
from broker_worker.orders.sent_file import SentFile
from broker_worker.positions import PositionBook
from broker_worker.settings import WorkerSettings
from broker_worker.transcript import Transcript, transcribed
from shared import VERSION, clock
from shared.audit import Audit
from shared.contract import OPERATIONS, Toolset
from shared.contract.accounts import AccountTools
from shared.contract.contracts import ContractTools
from shared.contract.handlers import check_handler
from shared.contract.market_data import MarketDataTools
from shared.contract.orders import OrderTools
from shared.contract.status import WorkerStatus
from shared.files import FileShelf
from shared.queue.job import RunJob
from shared.queue.lease import Lease
from shared.queue.storing import LAST_WORDS_SECONDS
from shared.queue.worker import JobWorker
from shared.redis_keys import Keys
from shared.redis_store import Store

log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0
"""After SIGTERM: how long jobs and orders under way may take to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerWorker:
    """The parts of one worker process."""

    settings: WorkerSettings
    store: Store
    keys: Keys
    lease: Lease
    link: GatewayLink
    quotes: QuoteBoard
    placer: Placer
    recorder: Recorder
    reconciler: Reconciler
    sent_file: SentFile
    cache_file: CacheFile
    run_job: RunJob
    jobs: JobWorker
    outages: Outages
    durability: DurabilityWatch
    transcript: Transcript | None
    book: OrderBook
    budget: MessageBudget
    metrics: WorkerMetrics
    minutes: Minutes
    audit: Audit

    def sight(self) -> Sight:
        """What the metrics show of this worker."""
        lines, limit = self.quotes.lines
        return Sight(
            readonly=self.settings.readonly,
            leads=bool(self.lease.holder),
            epoch=self.lease.epoch,
            link=self.link.state,
            connections=self.link.connections,
            jobs=self.jobs.running,
            messages=self.budget.sent,
            messages_waiting=self.budget.waiting,
            lines=lines,
            lines_limit=limit,
            orders=Counter(record.state for record in self.book),
        )

    def status(self) -> WorkerStatus:
        """What get_status shows of this worker."""
        now = clock.now()
        return WorkerStatus(
            version=VERSION,
            heartbeat=now,
            link=self.link.state,
            link_since=self.link.since,
            link_detail=self.link.detail,
            gateway_version=self.link.server_version,
            trading_mode=self.settings.ibkr_trading_mode,
            readonly=self.settings.readonly,
            read_only_api=self.settings.ibkr_read_only_api,
            accounts=self.link.accounts,
            data_kind=self.quotes.last_kind,
            competing_session=self.quotes.competing,
            next_restart=self.outages.next_restart(now),
            redis_durability=self.durability.state,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop, then drain: no new jobs, what runs is finished, the lease is given back."""
        async with self.metrics.served(self.settings.metrics_host, self.settings.metrics_port, self.sight):
            await self._run(stop)

    async def _run(self, stop: asyncio.Event) -> None:
        await self.sent_file.open()
        await self.cache_file.open()
        serving = [_task(self.jobs.run(), "jobs")]
        supporting = [
            _task(self.lease.keep(), "lease"),
            _task(self._connect_while_leading(), "link"),
            _task(self.quotes.sweep(), "quotes"),
            _task(self.recorder.keep(), "records"),
            _task(self.durability.keep(), "durability"),
            _task(self.reconciler.keep(lambda: self.link.session), "orders"),
            _task(self.minutes.keep(lambda: bool(self.lease.holder)), "minutes"),
            _task(self.audit.keep(), "audit"),
            _task(self.jobs.answers.keep(), "answers"),
            _task(
                keep_status(self.store, self.keys, self.status, lambda: bool(self.lease.holder), self.link.news),
                "status",
            ),
        ]
        stopping = _task(_wait(stop), "stop")
        try:
            await asyncio.wait([*serving, *supporting, stopping], return_when=asyncio.FIRST_COMPLETED)
            await _cancel(serving)
            await self.placer.drain(DRAIN_SECONDS)
            left = await self.jobs.drain(DRAIN_SECONDS)
            with suppress(TimeoutError):  # the next worker would hear it from the gateway, in fewer words
                async with asyncio.timeout(LAST_WORDS_SECONDS):
                    await self.recorder.catch_up()
            log.info("drained; %d jobs were cut short", left)
        finally:
            await _cancel([stopping, *serving, *supporting])
            await self.sent_file.close()
            await self.cache_file.close()
            await self.audit.close()
            await self.store.close()
            if self.transcript is not None:
                self.transcript.close()
        for task in [*serving, *supporting]:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _connect_while_leading(self) -> None:
        """Hold the link to the gateway while the lease is ours: a stand-by must not take the client id."""
        while True:
            await self.lease.held()
            self.link.news.set()
            link, lost = _task(self.link.run(), "gateway"), _task(self.lease.lost(), "lease lost")
            try:
                await asyncio.wait([link, lost], return_when=asyncio.FIRST_COMPLETED)
            finally:
                await _cancel([link, lost])
            if not link.cancelled() and (error := link.exception()) is not None:
                raise error


def build(
    settings: WorkerSettings,
    store: Store,
    link_config: LinkConfig | None = None,
    further: Mapping[type[Toolset], Toolset] | None = None,
    lease: Lease | None = None,
) -> BrokerWorker:
    """Everything, connected to nothing yet: the start waits neither for Redis nor for the gateway.

    ``further`` serves areas beside the product's own; the benchmarks measure an empty job by it. A replay has
    a ``lease`` of its own.
    """
    keys = Keys(settings.gateway_session)
    lease = lease or Lease(store, keys, f"{socket.gethostname()}-{os.getpid()}")
    leader = lease
    outages = Outages(settings.restart_time, settings.zone)
    book = OrderBook(client_id=settings.ibkr_client_id, read_only_api=settings.ibkr_read_only_api)
    positions = PositionBook()
    quotes = QuoteBoard(settings.max_market_data_lines)
    journal = Journal(store, keys, lambda: leader.holder)
    audit = Audit(store, keys)
    sent_file = SentFile(settings.state_dir / f"{settings.gateway_session}.sent.sqlite3")
    cache_file = CacheFile(_market_file(settings))
    recorder = Recorder(book, journal, sent_file, audit)
    reconciler = Reconciler(book, positions, journal, sent_file, recorder, audit)
    live = settings.ibkr_trading_mode == "live"
    durability = DurabilityWatch(store, required=live and settings.require_durable_redis)
    budget = MessageBudget(settings.max_messages_per_second)
    metrics = WorkerMetrics(settings.gateway_session)
    minutes = Minutes(store, keys, budget, lambda: quotes.lines)
    link = GatewayLink(
        link_config or link_config_of(settings, outages),
        budget,
        book,
        positions,
        quotes,
        [book.synchronise, positions.synchronise, reconciler.synchronise, quotes.synchronise],
    )
    contracts = ContractBook(link, cache_file)
    finder = OrderFinder(book, journal)
    sender = Sender(
        link,
        book,
        positions,
        journal,
        sent_file,
        recorder,
        reconciler,
        lease,
        duplicate_window=settings.duplicate_window_seconds,
    )
    placer = Placer(link, book, journal, sent_file, recorder, sender, outages)
    changer = Changer(link, contracts, book, finder, recorder, lease, outages, client_id=settings.ibkr_client_id)
    handlers: dict[type[Toolset], Toolset] = {
        AccountTools: AccountDesk(link, positions),
        OrderTools: OrderDesk(
            link, contracts, book, finder, placer, changer, recorder, client_id=settings.ibkr_client_id
        ),
        MarketDataTools: MarketDataDesk(link, contracts, quotes, cache_file, FileShelf(store, keys)),
        ContractTools: ContractDesk(link, contracts),
        **(further or {}),
    }
    check_served(handlers)
    policy = Policy(
        session=settings.gateway_session,
        secret=settings.job_signing_secret.get_secret_value().encode(),
        readonly=settings.readonly,
        trading_mode=settings.ibkr_trading_mode,
    )

    def observe(operation: str, outcome: str, seconds: float) -> None:
        metrics.observe(operation, outcome, seconds)
        minutes.count(seconds)

    run_job: RunJob = JobRunner(handlers, policy, journal, durability, link.settled, observe)
    transcript = _transcript(settings, policy)
    if transcript is not None:
        run_job = transcribed(run_job, transcript)
    return BrokerWorker(
        settings=settings,
        store=store,
        keys=keys,
        lease=lease,
        link=link,
        quotes=quotes,
        placer=placer,
        recorder=recorder,
        reconciler=reconciler,
        sent_file=sent_file,
        cache_file=cache_file,
        run_job=run_job,
        jobs=JobWorker(store, keys, lease, run_job),
        transcript=transcript,
        book=book,
        budget=budget,
        metrics=metrics,
        outages=outages,
        durability=durability,
        minutes=minutes,
        audit=audit,
    )


def _market_file(settings: WorkerSettings) -> Path:
    """Where what the gateway said is kept; a worker whose jobs are to be replayed begins with nothing known."""
    if settings.transcript_file is not None:
        return settings.transcript_file.with_name(f"{settings.transcript_file.name}.market.sqlite3")
    return settings.state_dir / f"{settings.gateway_session}.market.sqlite3"


def _transcript(settings: WorkerSettings, policy: Policy) -> Transcript | None:
    return Transcript(settings.transcript_file, settings, secret=policy.secret) if settings.transcript_file else None


def link_config_of(settings: WorkerSettings, outages: Outages) -> LinkConfig:
    """Where the gateway of the configured mode is."""
    return LinkConfig(
        host=settings.ibkr_host,
        port=settings.gateway_port,
        client_id=settings.ibkr_client_id,
        mode=settings.ibkr_trading_mode,
        time_zone=settings.ibkr_time_zone,
        outages=outages,
    )


def check_served(handlers: dict[type[Toolset], Toolset]) -> None:
    """Return if every tool the worker answers is implemented as declared; raises ``TypeError`` naming all mistakes."""
    mistakes = [
        f"nobody answers {operation.name}"
        for operation in OPERATIONS.values()
        if operation.marker.answered_by == "worker" and operation.toolset not in handlers
    ]
    for toolset, handler in handlers.items():
        mistakes += check_handler(handler, toolset)
    if mistakes:
        raise TypeError("the worker does not fit its contract: " + "; ".join(mistakes))


async def serve(settings: WorkerSettings) -> None:
    """Run the worker until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    worker = build(settings, Store.at(settings.redis_url))
    log.info(
        "worker %s for gateway session %s: %s trading at %s:%d%s",
        VERSION,
        settings.gateway_session,
        settings.ibkr_trading_mode,
        settings.ibkr_host,
        settings.gateway_port,
        ", READONLY" if settings.readonly else "",
    )
    await worker.run(stop)


def _task(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    return asyncio.create_task(work, name=name)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
