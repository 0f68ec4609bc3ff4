"""One trace from the HTTP request to the gateway message, from real processes to a real collector on loopback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.request import Request, urlopen

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from shared import traces
from shared.contract import Scope
from shared.envelope import VERSION, Envelope, seal

from .house import READY_SECONDS, House
from .processes import ROOT, Process, until

TRACE, CLIENT_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Span(NamedTuple):
    """What a test looks at."""

    service: str
    name: str
    trace: str
    id: str
    parent: str


class Collector:
    """Takes traces over OTLP/HTTP."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.bodies.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def spans(self) -> list[Span]:
        found: list[Span] = []
        for body in list(self.bodies):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = {pair.key: pair.value.string_value for pair in resource.resource.attributes}["service.name"]
                found += [
                    Span(service, span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    for scope in resource.scope_spans
                    for span in scope.spans
                ]
        return found


class TracedHouse(House):
    """A house whose processes send traces."""

    def __init__(self, folder: Path) -> None:
        self.collector = Collector()
        super().__init__(folder)
        self.start_valkey()

    def _process(self, name: str, arguments: list[str], folder: Path, **more: str) -> Process:
        traced = {
            "TRACES": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        return super()._process(name, arguments, folder, **more, **traced)

    def ask_traced(self, tool: str, arguments: dict[str, object]) -> None:
        call = {"name": tool, "arguments": arguments}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).encode()
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "traceparent": f"00-{TRACE}-{CLIENT_SPAN}-01",
        }
        with urlopen(Request(self.endpoints[0], data=body, headers=headers), timeout=30) as response:
            assert b'isError":true' not in response.read()

    def close(self) -> None:
        super().close()
        self.collector.close()


@pytest.fixture(scope="module")
def built_house() -> Iterator[TracedHouse]:
    with TemporaryDirectory(prefix="traced-") as folder:
        house = TracedHouse(Path(folder))
        try:
            yield house
        finally:
            house.close()


@pytest.fixture
def traced(built_house: TracedHouse) -> TracedHouse:
    """Everything runs and sends traces."""
    built_house.mend()
    return built_house


def test_one_trace_leads_from_the_request_over_the_job_to_the_gateway(traced: TracedHouse) -> None:
    with urlopen(traced.endpoints[0].removesuffix("mcp") + "healthz", timeout=10):
        pass  # asked often, and of no interest
    traced.ask_traced("get_account_summary", {})

    def ours() -> dict[str, Span]:
        return {span.name: span for span in traced.collector.spans() if span.trace == TRACE}

    job = "job get_account_summary"
    until(lambda: {"HTTP POST", job, "gateway message"} <= ours().keys(), READY_SECONDS, "the spans", seen=ours)
    spans = ours()
    by_id = {span.id: span for span in spans.values()}
    assert spans["HTTP POST"].parent == CLIENT_SPAN
    assert "HTTP GET" not in {span.name for span in traced.collector.spans()}
    assert spans["gateway message"].parent == spans[job].id
    assert (spans[job].service, by_id[spans[job].parent].service) == ("ibkr-bridge-worker", "ibkr-bridge-frontend")
    above, steps = spans[job], 0
    while above.parent != CLIENT_SPAN:
        above, steps = by_id[above.parent], steps + 1
    assert above.name == "HTTP POST"
    assert steps >= 2, "FastMCP's own span lies between the request and the job"


def test_a_trace_names_no_account_and_no_argument(traced: TracedHouse) -> None:
    order = {"symbol": "MSFT", "action": "BUY", "quantity": 3, "limit_price": 91.25, "client_order_id": "no-secret"}
    placed = traced.ask("place_limit_order", order | {"account": "DU1234567"})
    assert placed["state"] == "WORKING"
    assert traced.ask("get_positions", {"account": "DU9999999"})["error"].startswith("WRONG_ACCOUNT")

    def told() -> set[str]:
        return {span.name for span in traced.collector.spans()}

    until(lambda: {"job place_limit_order", "job get_positions"} <= told(), READY_SECONDS, "both jobs", seen=told)
    sent = b"".join(traced.collector.bodies)
    for word in (b"DU1234567", b"DU9999999", b"no-secret", b"91.25", b"MSFT"):
        assert word not in sent


def test_a_collector_that_is_away_holds_nothing_up(traced: TracedHouse) -> None:
    traced.collector.close()
    assert traced.ask("get_account_summary")["account"] == "DU1234567"
    for process in (traced.worker, traced.frontends[0]):
        process.signal(signal.SIGTERM)
        assert process.ended() == 0


def test_nothing_of_the_sdk_is_imported_while_traces_are_off() -> None:
    program = (
        "import sys, mcp_frontend.__main__;"
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))];"
    )
    worker = (
        "import sys, broker_worker.__main__;"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')];"
    )
    for code in (program, worker):
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=30)


def test_traces_without_their_packages_stop_the_process_and_say_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.delitem(sys.modules, "shared.open_telemetry", raising=False)
    with pytest.raises(SystemExit, match=r"requirements-traces\.lock"):
        traces.start("tests", "main")


def test_an_untraced_job_looks_to_an_older_worker_as_it_always_did() -> None:
    envelope = Envelope(
        v=VERSION, session="main", operation="get_positions", arguments={}, caller="tests",
        scopes=frozenset({Scope.READ}), deadline_ms=1, request_id="one", reply_to="one",
    )  # fmt: skip
    assert "traceparent" not in seal(envelope, b"")[0]
    assert "traceparent" in seal(envelope.model_copy(update={"traceparent": "00-1-2-01"}), b"")[0]
