"""`python -m benchmarks`: every measurement, `docs/performance.md`, and a JSON file that names the machine.

Measures that are not taken anew keep what was found before, with the machine's pace at that time.
"""

import argparse
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine, pace_ms
from benchmarks.measures import MEASURES
from benchmarks.work import PARTS

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results" / "latest.json"
PAGE: Final = HERE.parent / "docs" / "performance.md"
TEMPLATE: Final = HERE / "performance.template.md"


def main() -> None:
    """Measure, write after each, print."""
    names = [measure.name for measure in MEASURES]
    asked = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    asked.add_argument("--only", choices=names, action="append", help="this one; may be given several times")
    chosen = asked.parse_args().only or names
    console = Console(width=100)
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for measure in MEASURES:
        if measure.name in chosen:
            console.print(f"measuring {measure.name} ...")
            before, at = pace_ms(), datetime.now(UTC).isoformat(timespec="minutes")
            found = measure.take()
            results[measure.name] = {"at": at, "pace_ms": [before, pace_ms()], **found}
            results["machine"] = machine()
            RESULTS.write_text(json.dumps(results, indent=2) + "\n")
            PAGE.write_text(page(results))
    console.print(table(results))


def lines(results: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """What, measured, target, pace: of all that has been measured."""
    return [
        (row.what, row.says(results[measure.name]), row.target, _pace(results[measure.name]))
        for measure in MEASURES
        if measure.name in results
        for row in measure.rows
    ]


def _pace(result: Mapping[str, Any]) -> str:
    return " to ".join(f"{one:.0f}" for one in result["pace_ms"])


def page(results: Mapping[str, Any]) -> str:
    """`docs/performance.md`."""
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines(results))
    how = "\n".join(
        f"- **{measure.name}** ({results[measure.name].get('at', 'earlier')}): {measure.how}"
        for measure in MEASURES
        if measure.name in results
    )
    return TEMPLATE.read_text().format(rows=rows, how=how, parts=parts(results), **results["machine"])


def parts(results: Mapping[str, Any]) -> str:
    """Of each rival the medians of CPU milliseconds a call, by the process that takes them; calls of 200 ms."""
    rivals = results.get("calls_200ms", {"rivals": {}})["rivals"]
    taken = {
        name: [run["cpu_ms_per_call_by_part"] for run in one["runs"] if "seconds" in run]
        for name, one in rivals.items()
    }
    return "\n".join(
        f"| {name} | {' | '.join(f'{median(run[part] for run in runs):.1f}' for part in PARTS)} |"
        for name, runs in taken.items()
    )


def table(results: Mapping[str, Any]) -> Table:
    """The same for a terminal."""
    place = results["machine"]
    shown = Table(
        title=f"{place['cpu']}, {place['cores']} cores, {place['memory_gb']} GB",
        caption="pace: CPU of a million steps of plain Python, before and after; compare seconds only at one pace",
        title_justify="left",
        caption_justify="left",
    )
    for column in ("what", "measured", "target", "pace, ms"):
        shown.add_column(column)
    for line in lines(results):
        shown.add_row(*line)
    return shown


if __name__ == "__main__":
    main()
