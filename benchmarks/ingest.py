"""Ingest: events a second from NDJSON into a SQLite ledger, and the memory it takes, one process.

The events are made here, of four kinds, with the lengths of real ones; 1 % are duplicates, 0.1 % no events
at all. Every run is a process of its own on a fresh ledger.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

from ledger.engine import close_ledger, open_ledger
from tasks.sources.intake import ingest
from tasks.sources.mapper import Mapper
from tasks.sources.mapping import load_mapping

EVENTS = 1_000_000
RUNS = 3
START = datetime(2024, 1, 1, tzinfo=UTC)
PROSE = (
    "the appointment was moved twice and nobody told us why until we called again after lunch to ask about "
    "a refund for delivery that came late with one part missing while support kept saying it would be fixed"
)
WORDS = PROSE.split()
TOPICS = ("billing", "delivery", "sign-in", "opening hours", "staff", "refunds", "search", "exports")


def run(events: int = EVENTS, runs: int = RUNS, *, small: bool = False) -> dict[str, Any]:
    """Ingest `events` records `runs` times; medians. `small` records have 300 bytes instead of 1.1 kB."""
    with tempfile.TemporaryDirectory(prefix="penstock-ingest-") as folder:
        source = Path(folder, "events.ndjson")
        write_events(source, events, small=small)
        size = source.stat().st_size
        print(f"ingest: {events:,} records of {size / events:,.0f} bytes, {runs} runs")
        results = [_measure(source, Path(folder, f"ledger-{number}.db")) for number in range(runs)]
    return {
        "events": events,
        "bytes_per_event": round(size / events),
        "events_per_s": round(median(result["events_per_s"] for result in results)),
        "peak_rss_mb": round(median(result["peak_rss_mb"] for result in results)),
        "runs": results,
    }


def write_events(path: Path, events: int, *, small: bool) -> None:
    """A file of `events` lines; the same numbers give the same file."""
    chance = random.Random(20240101)  # noqa: S311, test data
    earlier = b""
    with path.open("wb") as stream:
        for number in range(events):
            line = json.dumps(_record(chance, number, small=small)).encode() + b"\n"
            if number % 1_000 == 999:
                stream.write(line[: len(line) // 2] + b"\n")
            elif number % 100 == 50:
                stream.write(earlier)
            else:
                stream.write(line)
                earlier = line


def _record(chance: random.Random, number: int, *, small: bool) -> dict[str, Any]:
    kind, make = list(KINDS.items())[number % len(KINDS)]
    return {
        "id": f"{kind}:{number}",
        "source": f"bench-{kind.partition('.')[0]}",
        "type": kind,
        "tenant": f"tenant-{chance.randrange(50)}",
        "user": None if kind == "system.alert" else f"user-{chance.randrange(5_000)}",
        "time": (START + timedelta(seconds=number)).isoformat().replace("+00:00", "Z"),
        "data": make(chance, 0 if small else 6),
    }


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))


def _feedback(chance: random.Random, size: int) -> dict[str, Any]:
    return {
        "text": _text(chance, 15 + 22 * size),
        "issue": chance.choice(TOPICS),
        "rating_code": chance.randrange(1, 6),
    }


def _transcript(chance: random.Random, size: int) -> dict[str, Any]:
    speakers = ("customer", "agent")
    turns = [{"speaker": speakers[turn % 2], "text": _text(chance, 17)} for turn in range(1 + size)]
    completion = chance.choice(("Complete", "Disconnected"))
    return {"tasks": [chance.choice(TOPICS)], "completion": completion, "happy_path": True, "turns": turns}


def _survey(chance: random.Random, size: int) -> dict[str, Any]:
    return {
        "answers": [{"question": _text(chance, 7), "answer": _text(chance, 4)} for _ in range(1 + 2 * size)]
    }


def _alert(chance: random.Random, size: int) -> dict[str, Any]:
    return {
        "title": _text(chance, 8),
        "text": _text(chance, 12 + 22 * size),
        "product": chance.choice(TOPICS),
        "known_ransomware_use": chance.choice(("Known", "Unknown")),
    }


KINDS: Final[dict[str, Callable[[random.Random, int], dict[str, Any]]]] = {
    "feedback.submitted": _feedback,
    "support.transcript": _transcript,
    "survey.response": _survey,
    "system.alert": _alert,
}


def _measure(source: Path, ledger: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.ingest", "--measure", str(source), str(ledger)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    print(f"  {result['events_per_s']:,} events/s, {result['peak_rss_mb']} MB, {result['counts']}")
    return result


def measure(source: Path, ledger: Path) -> dict[str, Any]:
    """Ingest one file into one ledger in this process: events a second, its peak memory, what became of them."""
    opened = open_ledger(f"sqlite:///{ledger}")
    wall, cpu = time.perf_counter(), time.process_time()
    result = ingest(opened, [source], Mapper(load_mapping()), now=lambda: datetime.now(UTC))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    close_ledger(opened)
    return {
        "events_per_s": round(result.counts.read / wall),
        "wall_s": round(wall, 2),
        "cpu_us_per_event": round(cpu / result.counts.read * 1e6, 1),
        "peak_rss_mb": _peak_rss_mb(),
        "counts": result.counts._asdict(),
    }


def _peak_rss_mb() -> int:
    """The largest resident size of this process so far.

    From /proc where there is one: `ru_maxrss` of a started process begins at its parent's.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024**2
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) // 1024


def main() -> None:
    """`python -m benchmarks.ingest --events 200000 --runs 1 [--small]`: print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--measure", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(*given.measure)))
    else:
        print(json.dumps(run(given.events, given.runs, small=given.small), indent=2))


if __name__ == "__main__":
    main()
