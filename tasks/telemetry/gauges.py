"""What `penstock status --watch` shows, as OpenTelemetry metrics: each a gauge over the last minutes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from ledger.measures import Measures, Queue, StageMeasures
from tasks.telemetry.otlp import TIMEOUT_S, resource

WINDOW: Final = timedelta(minutes=5)
"""What rates, latencies and shares are over."""

Reading = Iterable[tuple[float | None, Mapping[str, str]]]


class Gauge(NamedTuple):
    """A metric: its name, unit (UCUM) and meaning, and its values with their attributes."""

    name: str
    unit: str
    meaning: str
    read: Callable[[Measures], Reading]


def _of_queues(value: Callable[[Queue], float]) -> Callable[[Measures], Reading]:
    return lambda seen: ((value(one), {"penstock.level": one.level.value}) for one in seen.queues)


def _of_stages(value: Callable[[StageMeasures], float | None]) -> Callable[[Measures], Reading]:
    return lambda seen: ((value(one), {"penstock.stage": one.stage}) for one in seen.stages)


def _depth(seen: Measures) -> Reading:
    for queue in seen.queues:
        for state, count in (("ready", queue.ready), ("running", queue.running), ("waiting", queue.waiting)):
            yield count, {"penstock.level": queue.level.value, "penstock.state": state}


def _latency(seen: Measures) -> Reading:
    for one in seen.stages:
        for quantile, seconds in (("0.5", one.p50_s), ("0.95", one.p95_s), ("0.99", one.p99_s)):
            yield seconds, {"penstock.stage": one.stage, "quantile": quantile}


GAUGES: Final = (
    Gauge("penstock.queue.batches", "{batch}", "Batches ready, in work, and waiting", _depth),
    Gauge("penstock.queue.wait", "s", "The longest wait for a turn", _of_queues(lambda one: one.longest_s)),
    Gauge(
        "penstock.calls.rate",
        "{call}/min",
        "Model calls a minute",
        _of_stages(lambda one: one.calls_a_minute),
    ),
    Gauge("penstock.calls.latency", "s", "Latency of answered model calls", _latency),
    Gauge("penstock.calls.answered", "{call}", "Model calls answered", _of_stages(lambda one: one.answered)),
    Gauge("penstock.calls.failed", "{call}", "Model calls that failed", _of_stages(lambda one: one.failed)),
    Gauge("penstock.items.passed", "{item}", "Items the judge let pass", _of_stages(lambda one: one.passed)),
    Gauge("penstock.items.refused", "{item}", "Items the judge refused", _of_stages(lambda one: one.refused)),
    Gauge("penstock.dead_letters", "{letter}", "Dead letters", _of_stages(lambda one: one.dead)),
    Gauge(
        "penstock.item.tokens", "{token}", "Tokens an item that passed", _of_stages(lambda one: one.tokens)
    ),
    Gauge("penstock.item.cost", "USD", "Cost of an item that passed", _of_stages(lambda one: one.usd)),
)


def metering(endpoint: str, owner: str, every_s: float, measured: Callable[[], Measures]) -> MeterProvider:
    """Send all gauges every so many seconds until the provider is shut down; each value from one look at `measured`."""
    exporter = OTLPMetricExporter(f"{endpoint}/v1/metrics", timeout=TIMEOUT_S)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=every_s * 1000)
    provider = MeterProvider([reader], resource=resource(owner), shutdown_on_exit=False)
    meter, look = provider.get_meter("penstock"), _OneLook(measured)
    for gauge in GAUGES:
        meter.create_observable_gauge(gauge.name, [look.at(gauge)], gauge.unit, gauge.meaning)
    return provider


class _OneLook:
    """All gauges of one collection show the same moment: the first of them looks."""

    def __init__(self, measured: Callable[[], Measures]) -> None:
        self._measured = measured
        self._seen: Measures | None = None

    def at(self, gauge: Gauge) -> Callable[[CallbackOptions], Iterator[Observation]]:
        def observe(_: CallbackOptions) -> Iterator[Observation]:
            if self._seen is None or gauge is GAUGES[0]:
                self._seen = self._measured()
            for value, attributes in gauge.read(self._seen):
                if value is not None:
                    yield Observation(value, attributes)

        return observe
