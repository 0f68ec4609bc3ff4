"""The frontend's Prometheus metrics: its own calls, and what any frontend can see of the whole in Redis.

Every replica shows the same of the latter, so rules take the maximum over them, never the sum. No metric names an
account, a caller or a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from fastmcp import FastMCP
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from mcp_frontend.callers import Identify
from mcp_frontend.status import RedisStatus, Sizes
from shared import VERSION
from shared.contract import Scope
from shared.errors import NotPermitted
from shared.metrics import Ends, Observe

PATH: Final = "/metrics"


class FrontendMetrics:
    """Counts the calls of this process."""

    def __init__(self, sessions: Sequence[str], *, readonly: bool) -> None:
        self._sessions = sessions
        self._readonly = readonly
        self._registry = CollectorRegistry()
        counted, timed = "Calls answered, by tool and OK or the error's code.", "From a call's arrival to its answer."
        self.observe: Observe = Ends(self._registry, "ibkr_frontend_call", "tool", counted, timed).observe

    def text(self, sizes: Sequence[Sizes | None]) -> bytes:
        """All of it, with what Redis says now of each session; None where it does not answer."""
        seen = CollectorRegistry()
        seen.register(_Seen(dict(zip(self._sessions, sizes, strict=True)), readonly=self._readonly))
        return generate_latest(self._registry) + generate_latest(seen)


class _Seen(Collector):
    """What is read at the moment of the question."""

    def __init__(self, sizes: Mapping[str, Sizes | None], *, readonly: bool) -> None:
        self._sizes = sizes
        self._readonly = readonly

    def collect(self) -> Iterator[Metric]:
        """One gauge after the other."""
        every = self._sizes
        known = {session: sizes for session, sizes in every.items() if sizes is not None}
        readonly = dict.fromkeys(every, self._readonly)
        yield _gauge("ibkr_readonly", "READONLY of this process: 1 refuses orders.", readonly)
        reached = {session: session in known for session in every}
        yield _gauge("ibkr_redis_reachable", "Whether this frontend reaches Redis.", reached)
        info = GaugeMetricFamily("ibkr_frontend_info", "Always 1.", labels=["session", "version"])
        for session in every:
            info.add_metric([session, VERSION], 1)
        yield info
        if not known:
            return
        running = {session: sizes.worker_running for session, sizes in known.items()}
        yield _gauge("ibkr_worker_running", "Whether a worker shows a heartbeat.", running)
        unknown = {session: sizes.orders_unknown for session, sizes in known.items()}
        yield _gauge("ibkr_orders_unknown", "Orders whose fate only the broker knows.", unknown)
        depth = GaugeMetricFamily("ibkr_queue_jobs", "Jobs waiting to be claimed.", labels=["session", "lane"])
        for session, sizes in known.items():
            depth.add_metric([session, "trades"], sizes.trades)
            depth.add_metric([session, "queries"], sizes.queries)
        yield depth


def _gauge(name: str, meaning: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, meaning, labels=["session"])
    for session, value in values.items():
        gauge.add_metric([session], value)
    return gauge


def add_metrics_route(
    server: FastMCP[object], metrics: FrontendMetrics, statuses: Sequence[RedisStatus], identify: Identify
) -> None:
    """Add ``/metrics``; where the frontend asks for keys, one with ``read`` is needed here too."""

    async def show(_: Request) -> Response:
        try:
            permitted = Scope.READ in identify().scopes
        except NotPermitted:
            return Response(status_code=401, headers={"www-authenticate": "Bearer"})
        if not permitted:
            return Response("the key needs the scope read", status_code=403)
        sizes = [await status.sizes() for status in statuses]
        return Response(metrics.text(sizes), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    server.custom_route(PATH, methods=["GET"])(show)
