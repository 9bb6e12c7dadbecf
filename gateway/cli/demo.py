"""`demo`: the main job over the sample events, and where to look afterwards."""

import os
import shutil
import sys
import time
from pathlib import Path
from textwrap import shorten
from typing import Any, Final

from deployments.demo import SAMPLE_EVENTS
from deployments.services import Service, ui_url
from gateway.cli.intake import ingest_with_progress
from gateway.cli.ledger import ledger_of
from gateway.cli.output import SHORT_ID, err, out, print_json, print_lines, print_pairs
from gateway.cli.start import start_services
from gateway.cli.summary import print_summary
from gateway.cli.work import end_with_attention, print_stopped, work_with_progress
from ledger.deliveries import list_deliverables
from ledger.status import gate_failures, status
from tasks.settings import Settings

LEVELS: Final = ("HIGH", "MEDIUM", "LOW")
AGES: Final = {"TENANT": "PT0S", "USER": "P3650D"}
"""Every event is in its tenant's pool: those close at once, so that all events are worked on. Users' pools close
when they are full, and not with the clock: a second demo finds nothing to do, however much later it comes."""
SHOWN: Final = 6
REASON_CHARACTERS: Final = 160


def run_demo(*, as_json: bool) -> None:
    """Services up, sample events in, every batch through, and the summary. A second run finds nothing to do."""
    started = time.monotonic()
    err.print("starting the Prefect server and the model ...")
    for scope, age in AGES.items():
        for level in LEVELS:
            os.environ.setdefault(f"PENSTOCK_BATCHING__{scope}__{level}__MAX_AGE", age)
    settings, prefect = start_services()
    err.print(f"watch it at {ui_url(prefect)}")
    counts = ingest_with_progress(settings, [str(SAMPLE_EVENTS)])
    did = work_with_progress(settings, until_idle=True, flush=False)
    wall_s = round(time.monotonic() - started, 1)
    with ledger_of(settings) as ledger:
        failures = gate_failures(ledger)
        total = status(ledger)
        latest = list_deliverables(ledger, None, 1)
    links = _links(settings, prefect)
    if as_json:
        print_json({"ingest": counts._asdict(), "run": did, "status": total, "wall_s": wall_s, "look": links})
        end_with_attention(did)
        return
    print_summary("Penstock has processed the sample events", {**total, "wall_s": wall_s})
    if not did["batches"]["total"]:
        out.print("\nAll of it was done before: nothing was worked on, or paid for, twice.")
    _print_failures(failures)
    print_stopped(did, "DEAD", "HELD", "PENDING")
    names = {"prefect_ui": "Prefect UI", "deliverables": "Deliverables", "report": "Report"}
    print_lines("Where to look", [(names[name], link) for name, link in links.items()])
    refused = failures[0]["batch"] if failures else None
    print_lines("What to do next", _next_commands(latest[0].id if latest else None, refused))
    end_with_attention(did)


def _print_failures(failures: list[dict[str, Any]]) -> None:
    """What the judge refused: a line an item and criterion, with the judge's reason."""
    if not failures:
        return
    more = "" if len(failures) <= SHOWN else f", of {len(failures)}"
    print_pairs(
        f"What the judge refused (the first {min(len(failures), SHOWN)}{more})",
        [(one["batch"][:SHORT_ID], _refusal(one)) for one in failures[:SHOWN]],
    )


def _refusal(one: dict[str, Any]) -> str:
    reason = shorten(one["reason"], REASON_CHARACTERS, placeholder=" ...")
    criterion = one["criterion"].replace("_", " ")
    return (
        f"{one['tenant']}, {one['item']}: {criterion} {one['score']:.2f}, "
        f"needs {one['threshold']:.2f}. {reason}"
    )


def _links(settings: Settings, prefect: Service) -> dict[str, str]:
    return {
        "prefect_ui": ui_url(prefect),
        "deliverables": str(settings.deliverables.absolute()),
        "report": str(settings.report.absolute()),
    }


def _next_commands(deliverable: str | None, refused: str | None) -> list[tuple[str, str]]:
    penstock = command_name(sys.argv[0])
    return [
        *([("read a deliverable", f"{penstock} show {deliverable[:SHORT_ID]}")] if deliverable else []),
        *([("see why one failed", f"{penstock} status {refused[:SHORT_ID]}")] if refused else []),
        ("see where all stands", f"{penstock} status"),
        ("take in your events", f"{penstock} ingest PATH && {penstock} run --until-idle --flush"),
        ("stop the services", f"{penstock} down"),
    ]


def command_name(script: str) -> str:
    """How the operator calls `script` from here: by its name where the path finds it, else by its place."""
    path = Path(script).absolute()
    found = shutil.which(path.name)
    if found is not None and Path(found).absolute() == path:
        return path.name
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
