"""`python -m benchmarks`: every measurement, a table, and a JSON file that names the machine."""

import json
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import batching, ingest, orchestration
from benchmarks.machine import machine, pace_ms

RESULTS = Path(__file__).parent / "results" / "latest.json"


def help_seconds(runs: int = 7) -> dict[str, Any]:
    """Median wall time of `penstock --help`."""
    script = Path(sys.executable).with_name("penstock")
    times = []
    for _ in range(runs):
        started = time.monotonic()
        subprocess.run([script, "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.monotonic() - started)
    return {"seconds": round(statistics.median(times), 3), "runs": [round(one, 3) for one in times]}


def main() -> None:
    """Measure, write, print."""
    console = Console(width=100)
    results: dict[str, Any] = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()}
    for name, measure in (
        ("help", help_seconds),
        ("ingest", ingest.run),
        ("batching", batching.run),
        ("orchestration", lambda: orchestration.run(latency_s=1.0, runs=3)),
    ):
        console.print(f"measuring {name} ...")
        before = pace_ms()
        results[name] = measure() | {"pace_ms": [before, pace_ms()]}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    console.print(table(results))


def table(results: dict[str, Any]) -> Table:
    """Each figure beside its target."""
    place = results["machine"]
    shown = Table(
        title=f"{place['cpu']}, {place['cores']} cores, {place['memory_gb']} GB",
        caption="pace: CPU of a million steps of plain Python, before and after; compare seconds only at one pace",
        title_justify="left",
        caption_justify="left",
    )
    for column in ("what", "measured", "target", "pace, ms"):
        shown.add_column(column)
    ingested, batched, work = results["ingest"], results["batching"], results["orchestration"]
    rows = (
        ("help", "penstock --help", f"{results['help']['seconds']} s", "<= 0.5 s"),
        (
            "ingest",
            f"ingest, {ingested['events']:,} events",
            f"{ingested['events_per_s']:,.0f} events/s",
            ">= 20,000 events/s",
        ),
        ("", "  peak memory", f"{ingested['peak_rss_mb']:.0f} MB", "<= 300 MB"),
        ("batching", f"batching, {batched['events']:,} pending", f"{batched['seconds']:.2f} s", "<= 5 s"),
        ("", "  peak memory", f"{batched['peak_rss_mb']:.0f} MB", "<= 1,500 MB"),
        (
            "orchestration",
            f"{work['calls']:,} calls of {work['latency_s']} s",
            f"{work['ratio']:.3f} x bare asyncio",
            "<= 1.15",
        ),
        ("", "  CPU per call, all processes", f"{work['cpu_ms_per_call']:.1f} ms", "<= 25 ms"),
        ("", "  of which bare asyncio + SDK", f"{work['bare_cpu_ms_per_call']:.1f} ms", ""),
    )
    for name, *row in rows:
        pace = " to ".join(f"{one:.0f}" for one in results[name]["pace_ms"]) if name else ""
        shown.add_row(*row, pace)
    return shown


if __name__ == "__main__":
    main()
