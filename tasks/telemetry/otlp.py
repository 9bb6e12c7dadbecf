"""Spans on their way out: to an OpenTelemetry collector, over HTTP (OTLP 1.x)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from tasks.telemetry.spans import Span

TIMEOUT_S: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class CollectorAwayError(Exception):
    """The collector did not take what was sent; the same may be sent again."""


def resource(owner: str) -> Resource:
    """Who tells: the service, its version, and this process of it."""
    return Resource.create(
        {"service.name": "penstock", "service.version": version("penstock"), "service.instance.id": owner}
    )


class SpanSink:
    """Sends spans with the ids they have. One thread at a time."""

    def __init__(self, endpoint: str, owner: str) -> None:
        self._exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=TIMEOUT_S)
        self._finished = InMemorySpanExporter()
        self._ids = _Given()
        provider = TracerProvider(resource=resource(owner), id_generator=self._ids, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._finished))
        self._tracer = provider.get_tracer("penstock", version("penstock"))

    def send(self, spans: Iterable[Span]) -> None:
        """Send them in one request; CollectorAwayError when it was not taken."""
        for span in spans:
            self._record(span)
        recorded = self._finished.get_finished_spans()
        self._finished.clear()
        if self._exporter.export(recorded) is not SpanExportResult.SUCCESS:
            raise CollectorAwayError("the OpenTelemetry collector does not take spans")

    def close(self) -> None:
        """Nothing more will be sent."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _record(self, span: Span) -> None:
        self._ids.trace_id, self._ids.span_id = span.trace_id, span.id
        recording = self._tracer.start_span(
            span.name,
            context=_beneath(span),
            kind=SpanKind[span.kind.upper()],
            attributes=span.attributes,
            start_time=_nanoseconds(span.since),
        )
        if span.error is not None:
            recording.set_status(Status(StatusCode.ERROR, span.error))
        recording.end(_nanoseconds(span.until))


class _Given(IdGenerator):
    """The ids of the span that is recorded next."""

    trace_id = span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


def _beneath(span: Span) -> Context:
    """The context in which the span has its parent; an empty one for a trace's first."""
    if span.parent is None:
        return Context()
    parent = SpanContext(
        span.trace_id, span.parent, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND * 1000
