"""An OpenTelemetry collector: takes OTLP over HTTP and keeps it, or is away for a while."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """What has arrived, and whether it takes anything now."""

    def __init__(self) -> None:
        self.traces: list[ExportTraceServiceRequest] = []
        self.metrics: list[ExportMetricsServiceRequest] = []
        self.status = 200
        self.url = ""

    def take(self, path: str, body: bytes) -> None:
        """Keep a request; its path says what it is."""
        if path == "/v1/traces":
            self.traces.append(ExportTraceServiceRequest.FromString(body))
        else:
            assert path == "/v1/metrics"
            self.metrics.append(ExportMetricsServiceRequest.FromString(body))

    def spans(self) -> list[Any]:
        """All spans, in the order in which they came."""
        return [
            span
            for request in self.traces
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def points(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """The gauges of the latest request: each one's attributes and values."""
        (resource,) = self.metrics[-1].resource_metrics
        return {
            metric.name: [
                (
                    {one.key: one.value.string_value for one in point.attributes},
                    point.as_double or point.as_int,
                )
                for point in metric.gauge.data_points
            ]
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@contextmanager
def serving(collector: Collector) -> Iterator[None]:
    """Serve on a port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if collector.status == 200:
                collector.take(self.path, body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of the test's own."""
    made = Collector()
    with serving(made):
        yield made
