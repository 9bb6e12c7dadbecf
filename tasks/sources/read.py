"""From a path to raw records: which files are read, and by which reader."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from contracts.errors import OperatorError
from tasks.sources.arrays import read_json
from tasks.sources.lines import read_csv, read_ndjson
from tasks.sources.records import Limits, RawRecord
from tasks.sources.tables import read_parquet

STDIN: Final = "-"
PARQUET: Final = ".parquet"

STREAMED: Final[dict[str, Callable[[BinaryIO, Limits], Iterator[RawRecord]]]] = {
    ".ndjson": read_ndjson,
    ".jsonl": read_ndjson,
    ".json": read_json,
    ".csv": read_csv,
}
SUFFIXES: Final = (*STREAMED, PARQUET)


class SourceError(OperatorError):
    """A path that cannot be ingested; the message says which, why, and what can be."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What will be read, in order, and what lies in the folders beside it and will not be."""

    paths: tuple[Path, ...]
    skipped: tuple[Path, ...]


def find_sources(paths: Sequence[Path | str]) -> Sources:
    """The files behind paths, each once: folders are walked in sorted order, without hidden files.

    A file of another format is skipped inside a folder and refused when it is named. `-` (standard input)
    stays as it is. SourceError before anything is read.
    """
    found: dict[Path, bool] = {}
    for path in map(Path, paths):
        if path.is_dir():
            found.update((file, _is_readable(file)) for file in _files_in(path))
        else:
            _check_named(path)
            found[path] = True
    return Sources(
        tuple(path for path, readable in found.items() if readable),
        tuple(path for path, readable in found.items() if not readable),
    )


def read_raw(path: Path, limits: Limits | None = None) -> Iterator[RawRecord]:
    """The records of one file, lazily, by its suffix (one of `SUFFIXES`).

    Whatever is wrong with the file is a record with a problem: the iterator does not raise.
    """
    limits = limits or Limits()
    if path.suffix.lower() == PARQUET:
        yield from read_parquet(path, limits)
        return
    line = 0
    try:
        with path.open("rb") as stream:
            for record in STREAMED[path.suffix.lower()](stream, limits):
                line = record.line
                yield record
    except OSError as error:
        yield RawRecord(line + 1, b"", None, f"the file cannot be read from here on: {error}")


def _is_readable(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _files_in(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _check_named(path: Path) -> None:
    if str(path) == STDIN:
        return
    if not path.exists():
        raise SourceError(f"{path} does not exist; give a file, a folder, or - for standard input")
    if not _is_readable(path):
        known = ", ".join(SUFFIXES)
        raise SourceError(f"{path} is not a known format; give one of {known}, or pipe NDJSON into -")
