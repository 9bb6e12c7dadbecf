"""`demo`: the main job over the sample events, and where to look afterwards."""

import time
from pathlib import Path
from typing import Any

from deployments.demo import SAMPLE_EVENTS
from deployments.services import Service, ui_url
from gateway.cli.output import err, out, print_json, print_pairs, print_table
from gateway.cli.session import ledger_of, start_services
from gateway.cli.work import ingest_with_progress, print_summary, work_with_progress
from ledger.deliveries import list_deliverables
from ledger.status import gate_failures, status
from tasks.settings import Settings

SHOWN = 6


def run_demo(*, as_json: bool) -> None:
    """Services up, sample events in, every batch through, and the summary. A second run finds nothing to do."""
    started = time.monotonic()
    err.print("Starting the Prefect server and the model ...")
    settings, prefect = start_services()
    counts = ingest_with_progress(settings, [str(SAMPLE_EVENTS)])
    did = work_with_progress(settings, until_idle=True, flush=True)
    wall_s = round(time.monotonic() - started, 1)
    with ledger_of(settings) as ledger:
        failures = gate_failures(ledger)
        total = status(ledger)
        latest = list_deliverables(ledger, None, 1)
    links = _where_to_look(settings, prefect, latest[0].id if latest else None)
    if as_json:
        print_json({"ingest": counts._asdict(), "run": did, "status": total, "wall_s": wall_s, "look": links})
        return
    print_summary("Penstock has processed the sample events", {**total, "wall_s": wall_s})
    if not did["batches"]["total"]:
        out.print("Everything was done before: nothing was worked on, or paid for, twice.")
    _print_failures(failures)
    print_pairs("Where to look", links)


def _print_failures(failures: list[dict[str, Any]]) -> None:
    if not failures:
        out.print("No gate failures.")
        return
    rows = [
        (one["tenant"], one["item"], one["criterion"], f"{one['score']:.2f}", one["reason"])
        for one in failures[:SHOWN]
    ]
    print_table(
        f"Gate failures: {len(failures)} (the first {len(rows)})",
        ("tenant", "item", "criterion", "score", "judge's reason"),
        rows,
    )


def _where_to_look(settings: Settings, prefect: Service, deliverable: str | None) -> dict[str, str]:
    penstock = _command()
    return {
        "Prefect UI": ui_url(prefect),
        "Deliverables": str(settings.deliverables),
        "Report": str(settings.home / "report.html"),
        "Next": f"{penstock} status",
        "": f"{penstock} show {deliverable or 'DELIVERABLE'}",
        " ": f"{penstock} ingest YOUR_EVENTS.ndjson, then {penstock} run --until-idle",
        "Stop the services": f"{penstock} down",
    }


def _command() -> str:
    """How the operator calls `penstock` from here."""
    import sys

    script = Path(sys.argv[0])
    try:
        return str(script.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(script)
