"""The worker's Prometheus metrics, on a port of its own where one is set."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter as Tally
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from broker_worker.gateway.budget import Lane
from shared import VERSION
from shared.contract.orders import OrderState
from shared.contract.status import LinkState
from shared.metrics import Ends, Observe

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
"""How long the event loop may take to say what it sees; past it the scrape fails, and that is an alarm of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the worker shows of itself at one moment."""

    readonly: bool
    leads: bool
    epoch: int
    link: LinkState
    connections: int
    """Times the link came to serve since the start; the first is no reconnection."""
    jobs: Mapping[str, int]
    """Running, by lane."""
    messages: Mapping[Lane, int]
    """Sent to the gateway since the start."""
    messages_waiting: Mapping[Lane, int]
    lines: int
    lines_limit: int
    orders: Tally[OrderState]


class WorkerMetrics:
    """Counts jobs as they end, and looks at the rest when it is asked."""

    def __init__(self, session: str) -> None:
        self.registry = CollectorRegistry()
        self._session = session
        counted, timed = "Jobs done, by operation and what came of them.", "From a job's claim to its answer."
        self.observe: Observe = Ends(self.registry, "ibkr_worker_job", "operation", counted, timed).observe

    @asynccontextmanager
    async def served(self, host: str, port: int, look: Callable[[], Sight]) -> AsyncGenerator[None]:
        """Answer ``/metrics`` until the block ends; port 0: do not."""
        if not port:
            yield
            return
        self.registry.register(_Seen(self._session, look, asyncio.get_running_loop()))
        try:
            server, thread = start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            sys.exit(
                f"Cannot serve metrics on {host} port {port} (METRICS_HOST, METRICS_PORT): {error.strerror or error}"
            )
        log.info("metrics at http://%s:%d/metrics", host, port)
        try:
            yield
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            thread.join(_LOOK_SECONDS)


class _Seen(Collector):
    """What is looked at when it is asked for: on the event loop, where it belongs, not in the server's thread."""

    def __init__(self, session: str, look: Callable[[], Sight], loop: asyncio.AbstractEventLoop) -> None:
        self._session = session
        self._look = look
        self._loop = loop

    def describe(self) -> list[Metric]:
        """Nothing: to describe itself it would have to look."""
        return []

    def collect(self) -> Iterator[Metric]:
        """What is seen now."""
        return families(self._session, asyncio.run_coroutine_threadsafe(self._seen(), self._loop).result(_LOOK_SECONDS))

    async def _seen(self) -> Sight:
        return self._look()


def families(session: str, sight: Sight) -> Iterator[Metric]:
    """The sight as Prometheus's metrics."""

    def gauge(name: str, meaning: str, values: Mapping[str, float], label: str) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, meaning, labels=["session", label])
        for value, number in values.items():
            family.add_metric([session, value], number)
        return family

    def plain(name: str, meaning: str, number: float) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, meaning, labels=["session"])
        family.add_metric([session], number)
        return family

    yield plain("ibkr_readonly", "READONLY of this process: 1 refuses orders.", sight.readonly)
    yield plain("ibkr_worker_leads", "Whether this worker holds the lease.", sight.leads)
    yield plain("ibkr_worker_epoch", "Number of its term of holding the lease; 0 while it does not.", sight.epoch)
    yield gauge("ibkr_worker_info", "Always 1.", {VERSION: 1}, "version")
    yield gauge(
        "ibkr_link_state", "1 for the state the gateway link is in.",
        {state.value: state is sight.link for state in LinkState}, "state",
    )  # fmt: skip
    yield gauge("ibkr_worker_jobs_running", "Jobs being run, by lane of the queue.", sight.jobs, "lane")
    waiting = {lane.name.lower(): count for lane, count in sight.messages_waiting.items()}
    yield gauge("ibkr_gateway_messages_waiting", "Messages waiting for the gateway's budget.", waiting, "lane")
    yield plain("ibkr_market_data_lines", "Market data lines open at the gateway.", sight.lines)
    yield plain("ibkr_market_data_lines_limit", "How many may be open.", sight.lines_limit)
    yield gauge(
        "ibkr_orders", "Orders of today that the worker knows of, by state.",
        {state.value: sight.orders[state] for state in OrderState}, "state",
    )  # fmt: skip
    connections = CounterMetricFamily("ibkr_link_connections", "Times the link came to serve.", labels=["session"])
    connections.add_metric([session], sight.connections)
    yield connections
    messages = CounterMetricFamily("ibkr_gateway_messages", "Messages sent, by lane.", labels=["session", "lane"])
    for lane, count in sight.messages.items():
        messages.add_metric([session, lane.name.lower()], count)
    yield messages
