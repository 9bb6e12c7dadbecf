"""What is measured, how it is said, and what is wanted: one entry a benchmark, in the order of the table."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import (
    attachments,
    batching,
    flow_runs,
    gateway_load,
    ingest,
    latency,
    queue_intake,
    retention,
    rivals_measured,
    sustained,
    throttle,
)

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A line of the table: `says` reads the figure from the result."""

    what: str
    says: Callable[[Result], str]
    target: str = ""


@dataclass(frozen=True)
class Measure:
    """A benchmark: how it is taken, in a sentence or two, and the lines it gives."""

    name: str
    take: Callable[[], dict[str, Any]]
    how: str
    rows: tuple[Row, ...]


def help_seconds(runs: int = 7) -> dict[str, Any]:
    """Median wall time of `penstock --help`."""
    script = Path(sys.executable).with_name("penstock")
    times = []
    for _ in range(runs):
        started = time.monotonic()
        subprocess.run([script, "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.monotonic() - started)
    return {"seconds": round(statistics.median(times), 3), "runs": [round(one, 3) for one in times]}


def _waits(kind: str, target: str) -> Row:
    return Row(
        f"HIGH event accepted to first model request, {kind}: p50, p95",
        lambda found: (
            f"{found[kind]['p50_s']:.2f} s, {found[kind]['p95_s']:.2f} s ({found[kind]['events']} events)"
        ),
        target,
    )


def _beside_bare(name: str, what: str, target: str = "") -> Row:
    def says(found: Result) -> str:
        one = found["rivals"][name]
        if "ratio" not in one:
            return "; ".join(one["wrong"])
        return f"{one['ratio']:.2f} x, {one['cpu_ms_per_call_beyond_bare']:.1f} ms CPU a call beyond bare"

    return Row(what, says, target)


def _used(found: Result) -> str:
    return f"{found['max_in_flight']} in flight at most, {100 * found['mean_use']:.0f} % used on average"


def _api_meanwhile(calls: str) -> Row:
    def says(found: Result) -> str:
        taken = found["rivals"]["penstock_postgres"].get("api_p95_ms")
        return "not measured" if taken is None else f"{taken:.0f} ms"

    return Row(f"Prefect API p95 during the {calls}", says, "250 ms")


RIVALS: Final = (
    ("by_hand", "by hand: asyncio, SQLite, resumable"),
    ("dbos_transact", "DBOS Transact, PostgreSQL"),
    ("penstock_batches", "Penstock, batches tracked alone"),
)

MEASURES: Final = (
    Measure(
        "help",
        help_seconds,
        "Wall time of the command, median of seven.",
        (Row("`penstock --help`", lambda found: f"{found['seconds']} s", "0.5 s"),),
    ),
    Measure(
        "ingest",
        ingest.run,
        "One process, NDJSON of 1.1 kB an event into SQLite.",
        (
            Row(
                "ingest, 1 M events",
                lambda found: f"{found['events_per_s']:,.0f} events/s, {found['peak_rss_mb']:.0f} MB",
                "20,000 events/s, 300 MB",
            ),
        ),
    ),
    Measure(
        "batching",
        batching.run,
        "Planning alone, from a frame of pending events.",
        (
            Row(
                "batching, 1 M pending events",
                lambda found: f"{found['seconds']:.2f} s, {found['peak_rss_mb']:.0f} MB",
                "5 s, 1,500 MB",
            ),
        ),
    ),
    Measure(
        "queues",
        queue_intake.run,
        "One process, boto3, eight receivers, messages of 0.9 kB into SQLite; the queue is a server of our own that "
        "speaks SQS's protocol in another process, and is not what limits. Medians of three runs.",
        (
            Row(
                "messages of SQS taken in and deleted",
                lambda found: (
                    f"{found['messages_per_s']:,.0f} a second, {found['cpu_ms_per_message']:.2f} ms CPU each; "
                    f"the server used {100 * found['server_core_used']:.0f} % of a core"
                ),
                "2,000 a second",
            ),
        ),
    ),
    Measure(
        "attachments",
        attachments.run,
        "5,000 screenshots, photos and PDFs in a burst; S3 and SQS are a server of our own on the same two cores, the "
        "ledger is SQLite. Memory is that of the process and of its workshop together, at its peak.",
        (
            Row(
                "attachments taken in, 5,000 in a burst",
                lambda found: (
                    f"{found['per_s']:.0f} a second, {found['ratio']:.2f} times the bare transforms' time; "
                    f"{found['lost']} lost; the server used {100 * found['server_core_used']:.0f} % of a core"
                ),
                "0 lost",
            ),
            Row(
                "memory at the peak of the burst",
                lambda found: (
                    f"{found['peak_mb']} MB, {found['memory_ratio']:.2f} times that of a tenth as many"
                ),
                "1.2 times",
            ),
        ),
    ),
    Measure(
        "gateway",
        gateway_load.run,
        "`penstock serve` and 200 clients on the same two cores for 60 s, one event of 0.5 kB after another, each "
        "connection kept; the ledger on PostgreSQL. At the end what was acknowledged is looked for in the ledger.",
        (
            Row(
                "events over HTTP, 200 clients",
                lambda found: (
                    f"{found['events_per_s']:,} a second, p50 {found['p50_ms']:.0f} ms, p99 {found['p99_ms']:.0f} ms; "
                    f"{found['lost']} acknowledged and not in the ledger"
                ),
                "1,500 a second, 0 lost",
            ),
        ),
    ),
    Measure(
        "latency",
        latency.run,
        "From the ledger's own times, one event after another; cold: the last lane has left, so that event, "
        "automation, run and claim lie in between; at work: a lane is still looking.",
        (
            _waits("warm, cold", "0.8 s, 2 s"),
            _waits("warm, at work", ""),
            _waits("process, cold", ""),
        ),
    ),
    Measure(
        "calls_1s",
        lambda: rivals_measured.run(1.0),
        "40 batches, 1,120 calls of 1 s, 32 in flight, in turn, each in a fresh process; CPU is that of all processes, "
        "with what is left to show and to write down at the end. "
        "Prefect's API is asked twice a second for a page of 20 flow runs.",
        (
            _beside_bare(
                "penstock_postgres", "1,120 calls of 1 s, Prefect's server on PostgreSQL", "1.05 x, 12 ms"
            ),
            _api_meanwhile("1,120 calls of 1 s"),
            _beside_bare("penstock", "the same, Prefect's server on SQLite"),
            *(_beside_bare(name, what) for name, what in RIVALS),
        ),
    ),
    Measure(
        "calls_200ms",
        lambda: rivals_measured.run(0.2),
        "The same with calls of 200 ms.",
        (
            _beside_bare(
                "penstock_postgres", "1,120 calls of 200 ms, Prefect's server on PostgreSQL", "1.25 x"
            ),
            _api_meanwhile("1,120 calls of 200 ms"),
            _beside_bare("penstock", "the same, Prefect's server on SQLite"),
            *(_beside_bare(name, what) for name, what in RIVALS),
        ),
    ),
    Measure(
        "naive",
        lambda: rivals_measured.run(1.0, batches=4, names=("bare", "naive_prefect", "penstock")),
        "Four batches, 112 calls: a task a call, a subflow a batch, the server's defaults, Prefect's limit a call.",
        (
            _beside_bare("naive_prefect", "112 calls of 1 s, Prefect as its tutorial has it"),
            _beside_bare("penstock", "the same by Penstock"),
        ),
    ),
    Measure(
        "flow_runs",
        flow_runs.run,
        "Rounds of 40 flow runs that begin at once and do next to nothing; CPU is that of all processes.",
        tuple(
            Row(
                f"40 flow runs at once, Prefect's server on {name}",
                lambda found, key=key: (
                    f"{found[key]['runs_per_s']:.0f} a second, {found[key]['cpu_ms_per_run']:.0f} ms CPU each, "
                    f"the slowest {found[key]['slowest_s']:.1f} s"
                ),
            )
            for key, name in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL"))
        ),
    ),
    Measure(
        "cap",
        throttle.run,
        "Four processes, 64 slots, 5,000 calls of 50 to 500 ms, as the model's server counts; work waits all the time. "
        "Three runs: the most of any, the median of the means.",
        (
            Row(
                "cap of 64, two of four processes killed",
                lambda found: _used(found["two_killed"]),
                "64, 95 %",
            ),
            Row("the same undisturbed", lambda found: _used(found["undisturbed"])),
        ),
    ),
    Measure(
        "sustained",
        sustained.run,
        "`penstock up`, calls of 5 ms, everything tracked; 300 batches of ten events and 28 calls, then 2,000 of one "
        "event and ten calls. A rate is the median of a run's thirds.",
        (
            Row(
                "model calls a second, 5 ms each",
                lambda found: f"{found['usual']['calls_per_s']:.0f}",
                "150",
            ),
            Row(
                "the same in batches of one event",
                lambda found: f"{found['smallest']['calls_per_s']:.0f}",
            ),
            Row(
                "memory of a warm worker after 2,000 batches, beside 100",
                lambda found: f"{found['smallest']['ratio']:.2f} x ({found['smallest']['late_mb']:.0f} MB)",
                "1.2 x",
            ),
        ),
    ),
    Measure(
        "retention",
        retention.run,
        "A page of 20 runs through the API, median of 41; rows are copied in the server's database.",
        (
            Row(
                "list of flow runs after 100,000 task runs",
                lambda found: (
                    f"{found['full_ms']:.0f} ms: {found['ratio_to_empty']:.1f} x an empty list, "
                    f"{found['ratio_to_page']:.1f} x the same page alone"
                ),
                "2 x",
            ),
            Row(
                "the same after retention",
                lambda found: (
                    f"{found['pruned_ms']:.0f} ms; {found['pruned_runs']:,} runs removed in {found['prune_s']:.0f} s"
                ),
            ),
        ),
    ),
)
