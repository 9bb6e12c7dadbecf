"""Line formats: NDJSON and CSV, read a line at a time so that memory does not grow with the file.

CSV is read by the standard library and not by polars: polars refuses a whole file for one ragged row, and
here a bad row is one rejection.
"""

import csv
from collections import deque
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from tasks.sources.records import MARK, Limits, RawRecord, decode, too_large

_CHUNK_BYTES: Final = 256 * 1024


def read_ndjson(stream: BinaryIO, limits: Limits) -> Iterator[RawRecord]:
    """One record a line; blank lines are no records."""
    for number, raw in enumerate(_lines(stream, limits), 1):
        if len(raw) > limits.record_bytes:
            yield too_large(number, raw, limits)
        elif raw and not raw.isspace():
            yield decode(number, raw)


def read_csv(stream: BinaryIO, limits: Limits) -> Iterator[RawRecord]:
    """One record a row, named by the header; an empty cell is a field that is not there.

    Cells are texts: nothing is guessed from how they look. An unusable header is one problem at its line,
    and ends the file.
    """
    feed = _Feed(_lines(stream, limits), limits.record_bytes)
    header = next(_rows(feed), None)
    if header is None:
        return
    wrong = header.problem or _header_problem(header.cells)
    if wrong:
        yield RawRecord(header.line, header.raw, None, wrong)
        return
    for row in _rows(feed):
        yield _record(header.cells, row)


def _lines(stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """Every line without its line feed; of one that is too large the head, one byte beyond the limit."""
    keep = limits.record_bytes + 1
    rest = b""
    chunk = stream.read(_CHUNK_BYTES).removeprefix(MARK)
    while chunk:
        head, *lines = chunk.split(b"\n")
        rest += head[: keep - len(rest)]
        if lines:
            yield rest
            rest = lines.pop()[:keep]
            yield from lines
        chunk = stream.read(_CHUNK_BYTES)
    if rest:
        yield rest


class _Line(NamedTuple):
    """A line with its 1-based number."""

    number: int
    raw: bytes


class _Row(NamedTuple):
    """One CSV record: the line it begins on, its bytes, and its cells or what is wrong with it."""

    line: int
    raw: bytes
    cells: list[str]
    problem: str | None


class _Feed:
    """Lines for `csv.reader`, remembering those of the row being read so that they can be given back."""

    def __init__(self, lines: Iterator[bytes], limit: int) -> None:
        self._lines = (_Line(number, raw) for number, raw in enumerate(lines, 1))
        self._returned: deque[_Line] = deque()
        self._limit = limit
        self._taken_bytes = 0
        self.taken: list[_Line] = []

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.taken.append(line)
        self._taken_bytes += len(line.raw)
        if self._taken_bytes > self._limit:
            raise csv.Error(f"larger than {self._limit:,} bytes, or a quote is never closed")
        return f"{line.raw.decode()}\n"

    def begin(self) -> None:
        """A new row begins: the lines of the one before are done with."""
        self.taken.clear()
        self._taken_bytes = 0

    def give_back_all_but_first(self) -> _Line:
        """After a bad row only its first line is lost: those it swallowed are read again."""
        first, *rest = self.taken
        self._returned.extendleft(reversed(rest))
        return first


def _rows(feed: _Feed) -> Iterator[_Row]:
    while True:
        feed.begin()
        # A reader of its own per row: one that has raised keeps the state of the row it raised in.
        reader = csv.reader(feed, strict=True)
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError) as error:
            first = feed.give_back_all_but_first()
            yield _Row(first.number, first.raw.rstrip(), [], _row_problem(error))
            continue
        if cells:
            raw = b"\n".join(line.raw for line in feed.taken)
            yield _Row(feed.taken[0].number, raw.rstrip(), cells, None)


def _row_problem(error: csv.Error | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"the text is not UTF-8: byte 0x{error.object[error.start]:02x} at position {error.start}"
    return f"the row is not valid CSV: {error}"


def _header_problem(names: list[str]) -> str | None:
    if len(set(names)) == len(names) and all(names):
        return None
    return "the header does not name every column once; the file cannot be read"


def _record(names: list[str], row: _Row) -> RawRecord:
    if row.problem is not None:
        return RawRecord(row.line, row.raw, None, row.problem)
    if len(row.cells) != len(names):
        problem = f"the row has {len(row.cells)} cells, the header {len(names)}"
        return RawRecord(row.line, row.raw, None, problem)
    value: dict[str, Any] = {name: cell for name, cell in zip(names, row.cells, strict=True) if cell}
    return RawRecord(row.line, row.raw, value, None)
