"""What this gateway has answered and refused, counted for Prometheus, with the gauges of the whole installation.

Names of tenants are in none of it. https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger.errors import LedgerFaultError
from ledger.measures import Measures
from tasks.telemetry.gauges import GAUGES

_LOG: Final = logging.getLogger("penstock")
_UP: Final = partial(GaugeMetricFamily, "penstock_ledger_up", "Whether the ledger answers")
LOOK_EVERY_S: Final = 5.0
"""The installation's gauges are not looked at more often, however many ask."""


class Counts:
    """The counters of one gateway."""

    def __init__(self) -> None:
        self.registry = one = CollectorRegistry()
        timed = "Time to the answer, by route and status"
        self._seconds = Histogram("penstock_http_request_seconds", timed, ["route", "status"], registry=one)
        self._refused = Counter(
            "penstock_http_refused", "Requests refused, by reason", ["reason"], registry=one
        )
        sent = "Events sent, by what became of them"
        self._events = Counter("penstock_http_events", sent, ["outcome"], registry=one)
        why = "Events rejected, by reason"
        self._rejected = Counter("penstock_http_events_rejected", why, ["reason"], registry=one)
        self._by_route: dict[tuple[str, int], Histogram] = {}
        self._by_outcome: dict[str, Counter] = {}
        self.listeners = Gauge("penstock_live_listeners", "Listeners at /v1/live", registry=one)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request has been answered."""
        # Looking a label up takes longer than counting, and routes and statuses are few.
        known = self._by_route.get((route, status))
        if known is None:
            known = self._by_route[route, status] = self._seconds.labels(route, str(status))
        known.observe(seconds)

    def refused(self, reason: str, status: int, path: str, detail: str) -> None:
        """A request has been refused: counted, and in the log."""
        self._refused.labels(reason).inc()
        _LOG.info("%s refused with %d, %s: %s", path, status, reason, detail)

    def events(self, outcome: str) -> None:
        """An event was accepted, is a duplicate, or was rejected."""
        known = self._by_outcome.get(outcome)
        if known is None:
            known = self._by_outcome[outcome] = self._events.labels(outcome)
        known.inc()

    def rejected(self, reason: str, tenant: str, detail: str, events: int) -> None:
        """So many events of a request were rejected for one kind of reason; `detail` is of the first."""
        self._rejected.labels(reason).inc(events)
        _LOG.info("%d events of %s rejected, %s: %s", events, tenant, reason, detail)


class Counting:
    """Counts what passes, by the route's pattern: addresses hold ids."""

    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self._app, self._counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._counts.answered(route, status, time.perf_counter() - began)


class Installation(Collector):
    """The gauges that `penstock status --watch` shows, at most every `LOOK_EVERY_S`."""

    def __init__(self, look: Callable[[], Measures], clock: Callable[[], float] = time.monotonic) -> None:
        self._look, self._clock = look, clock
        self._seen: tuple[float, Measures] | None = None

    def describe(self) -> list[Metric]:
        """Nothing beforehand: being registered is no reason to ask the ledger."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The gauges as Prometheus names them."""
        try:
            if self._seen is None or self._clock() - self._seen[0] > LOOK_EVERY_S:
                self._seen = self._clock(), self._look()
        except LedgerFaultError:
            # What was counted here is told all the more when the ledger is away.
            yield _UP(0)
            return
        yield _UP(1)
        for gauge in GAUGES:
            rows = [(value, said) for value, said in gauge.read(self._seen[1]) if value is not None]
            names = sorted({name for _, said in rows for name in said})
            family = GaugeMetricFamily(
                gauge.name.replace(".", "_"), gauge.meaning, labels=[name.replace(".", "_") for name in names]
            )
            for value, said in rows:
                family.add_metric([said.get(name, "") for name in names], value)
            yield family
