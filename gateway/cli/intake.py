"""`ingest`: events in. Loads nothing of the model, so that it is quick to begin."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from gateway.cli.ledger import ledger_of
from gateway.cli.output import err, out, print_json, print_pairs
from gateway.cli.progress import progress_bar
from ledger.intake import IntakeCounts
from tasks.redaction.start import redactor_of
from tasks.settings import Settings, load_settings
from tasks.sources.intake import ingest
from tasks.sources.read import STDIN, SUFFIXES, SourceError, find_sources
from tasks.sources.start import mapper_of


def run_ingest(paths: list[str], *, as_json: bool) -> None:
    """Take in `paths` and print the counts."""
    settings = load_settings()
    counts = ingest_with_progress(settings, paths)
    if as_json:
        print_json(counts._asdict())
        return
    print_pairs("Taken in", counts._asdict())
    if counts.rejected:
        out.print("\nWhat was rejected is kept with its reason; `penstock status` shows the latest.")


def ingest_with_progress(settings: Settings, paths: list[str]) -> IntakeCounts:
    """Take in `paths`, with a running count on standard error."""
    mapper = mapper_of(settings)
    sources = [path if path == STDIN else Path(path) for path in paths]
    if not find_sources(sources).paths:
        raise SourceError(f"{', '.join(paths)} holds no file that is read: none of {', '.join(SUFFIXES)}")
    if STDIN in paths and sys.stdin.isatty():
        err.print("reading events, one JSON object a line; Ctrl-D ends")
    redactor = redactor_of(settings)
    with ledger_of(settings) as ledger, progress_bar() as progress:
        bar = progress.add_task("taking in", total=None)

        def tell(counts: IntakeCounts) -> None:
            progress.update(bar, description=f"{counts.read:,} read, {counts.accepted:,} accepted")

        result = ingest(
            ledger,
            sources,
            mapper,
            now=lambda: datetime.now(UTC),
            stdin=sys.stdin.buffer,
            on_progress=tell,
            redactor=redactor,
        )
    for name in result.skipped:
        err.print(f"skipped {name}: not a kind of file that is read", markup=False, soft_wrap=True)
    return result.counts
