"""The only module that knows OpenTelemetry's SDK; ``traces`` imports it where traces are switched on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

EXPORT_SECONDS = "2"
"""For one delivery, its repeats included: the end of a process waits for the last one, collector or not."""

_W3C = TraceContextTextMapPropagator()


class OpenTelemetry:
    """Makes spans with the SDK. FastMCP's own spans go the same way."""

    def __init__(self, service: str, session: str) -> None:
        name = os.environ.get("OTEL_SERVICE_NAME") or service
        provider = TracerProvider(resource=Resource.create({"service.name": name, "ibkr.session": session}))
        os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", EXPORT_SECONDS)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
        self._tracer = provider.get_tracer("ibkr-bridge")

    def span(self, name: str, kind: str, parent: str, facts: Mapping[str, str]) -> AbstractContextManager[Any]:
        """A span until the block ends."""
        return self._tracer.start_as_current_span(
            name,
            context=_W3C.extract({"traceparent": parent}) if parent else None,
            kind=trace.SpanKind[kind.upper()],
            attributes=facts,
            # The text of an exception may name an account.
            record_exception=False,
            set_status_on_exception=False,
        )

    def note(self, facts: Mapping[str, str | int]) -> None:
        """Add facts to the open span."""
        trace.get_current_span().set_attributes(facts)

    def carried(self) -> str:
        """The open span as W3C's traceparent; empty where none is open."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get("traceparent", "")
