"""Intake: records become events or rejections, and both are in the ledger chunk by chunk, two at most in memory."""

import gc
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from contracts.events import Rejection
from ledger.engine import Ledger
from ledger.intake import IntakeCounts, PreparedEvent, record_intake
from tasks.collector import cycle_search_paused
from tasks.redaction.redactor import Redactor
from tasks.sources.lines import read_ndjson
from tasks.sources.mapper import Mapper
from tasks.sources.prepare import outcome_of
from tasks.sources.read import STDIN, SourceError, find_sources, read_raw
from tasks.sources.records import Limits, RawRecord

CHUNK_BYTES: Final = 8 * 1024 * 1024
"""A chunk also ends here, so that many large records take no more memory than many small ones."""
_CHUNKS_PER_SEARCH: Final = 64
_USUAL: Final = Limits()


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of the records read, and the files that were left aside because of their format."""

    counts: IntakeCounts
    skipped: tuple[Path, ...]


def ingest(
    ledger: Ledger,
    paths: Sequence[Path | str],
    mapper: Mapper,
    *,
    now: Callable[[], datetime],
    stdin: BinaryIO | None = None,
    on_progress: Callable[[IntakeCounts], None] | None = None,
    limits: Limits = _USUAL,
    redactor: Redactor | None = None,
) -> IngestResult:
    """Read files, folders and `-` (NDJSON on `stdin`) into the ledger, a chunk of records to a transaction.

    With a `redactor` nothing personal that it finds gets into the ledger. `on_progress` is told the counts so
    far after every chunk. What cannot be an event is a rejection on record and stops nothing. Ingested again,
    the same events are duplicates.

    Raises:
        SourceError: a path does not exist or is of no known format; nothing has been read then.
    """
    sources = find_sources(paths)
    if stdin is None and Path(STDIN) in sources.paths:
        raise SourceError("standard input was asked for but there is none; give a file or a folder")
    counts = IntakeCounts()
    done = itertools.count(1)
    with cycle_search_paused():
        for path in sources.paths:
            origin = str(path)
            records = _records(path, stdin, limits)
            outcomes = (outcome_of(record, origin, mapper, redactor) for record in records)
            for chunk in recorded(ledger, origin, outcomes, now, limits):
                counts += chunk
                if next(done) % _CHUNKS_PER_SEARCH == 0:
                    gc.collect()
                if on_progress is not None:
                    on_progress(counts)
    return IngestResult(counts, sources.skipped)


def _records(path: Path, stdin: BinaryIO | None, limits: Limits) -> Iterator[RawRecord]:
    if stdin is not None and str(path) == STDIN:
        return read_ndjson(stdin, limits)
    return read_raw(path, limits)


def recorded(
    ledger: Ledger,
    origin: str,
    outcomes: Iterable[PreparedEvent | Rejection],
    now: Callable[[], datetime],
    limits: Limits = _USUAL,
) -> Iterator[IntakeCounts]:
    """What became of each chunk, in order. While one is written, on a thread of its own, the next is read."""
    with ThreadPoolExecutor(max_workers=1) as writer:
        writing: Future[IntakeCounts] | None = None
        for events, refused in _chunks(outcomes, limits.chunk_records):
            if writing is not None:
                yield writing.result()
            writing = writer.submit(record_intake, ledger, origin, events, refused, now())
            del events, refused  # else this chunk would live until the next one is whole
        if writing is not None:
            yield writing.result()


def _chunks(
    outcomes: Iterable[PreparedEvent | Rejection], records: int
) -> Iterator[tuple[list[PreparedEvent], list[Rejection]]]:
    events: list[PreparedEvent] = []
    refused: list[Rejection] = []
    size = 0
    for outcome in outcomes:
        if isinstance(outcome, PreparedEvent):
            events.append(outcome)
            size += len(outcome.payload)
        else:
            refused.append(outcome)
            size += len(outcome.raw)
        if len(events) + len(refused) >= records or size >= CHUNK_BYTES:
            yield events, refused
            events, refused, size = [], [], 0
    if events or refused:
        yield events, refused
