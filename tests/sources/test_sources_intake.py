"""Ingest: everything read is in the ledger, once, as an event or as a rejection."""

import gc
import io
from functools import reduce

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DatabaseError

from contracts.events import Rejection
from ledger.intake import IntakeCounts, read_rejections
from ledger.sql import reading
from tasks.sources import intake
from tasks.sources.intake import ingest
from tasks.sources.read import SourceError
from tasks.sources.records import Limits


def _lines(records):
    return b"\n".join(map(orjson.dumps, records)) + b"\n"


def test_events_rejections_and_duplicates_are_counted_on_every_database(ledger, mapper, record, tmp_path):
    """One file with each of them, read twice: the second time every event is a duplicate."""
    path = tmp_path / "in.ndjson"
    good = [record(id=str(number), user=["ann", None][number % 2]) for number in range(30)]
    changed = record(id="3", data={"text": "something else"})
    path.write_bytes(_lines([*good, good[0], changed, record(tenant=None)]) + b"{nope\n\xff\x00\n")
    now = record.__globals__["NOW"]
    first = ingest(ledger, [path], mapper, now=lambda: now)
    again = ingest(ledger, [str(path)], mapper, now=lambda: now)
    assert first.counts == IntakeCounts(read=35, accepted=30, duplicates=1, rejected=4)
    assert again.counts == IntakeCounts(read=35, accepted=0, duplicates=31, rejected=4)
    found = {one.line: one for one in read_rejections(ledger, 4)}
    assert sorted(found) == [32, 33, 34, 35]
    assert "already exists with other content" in found[32].reason
    assert "no tenant" in found[33].reason
    assert (found[34].raw, found[34].origin) == ("{nope", str(path))
    assert found[35].raw == "\\xff\x00"


def test_a_folder_of_every_format_is_one_stream(take_in, record, tmp_path):
    """The same events as NDJSON, JSON, CSV and Parquet are accepted once and are duplicates thrice."""
    records = [record(id=str(number), data={"text": f"words {number}", "tags": ["a"]}) for number in range(5)]
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.ndjson").write_bytes(_lines(records))
    (folder / "b.json").write_bytes(orjson.dumps({"events": records}))
    frame = pl.DataFrame(records)
    frame.write_parquet(folder / "c.parquet")
    as_text = pl.Series([orjson.dumps(one["data"]).decode() for one in records])
    frame.with_columns(data=as_text).write_csv(folder / "d.csv")
    (folder / "notes.txt").write_text("hello")
    result = take_in(folder)
    assert result.counts == IntakeCounts(read=20, accepted=5, duplicates=15, rejected=0)
    assert [path.name for path in result.skipped] == ["notes.txt"]


def test_standard_input_is_ndjson(take_in, book, record):
    """`-` reads what is piped in, and its rejections say so."""
    assert take_in("-", text=_lines([record()]) + b"oops\n").counts == IntakeCounts(2, 1, 0, 1)
    assert read_rejections(book, 1)[0].origin == "-"
    with pytest.raises(SourceError, match="there is none"):
        take_in("-")


def test_nothing_is_read_when_a_path_is_wrong(take_in, record, tmp_path):
    """A missing path is an error before the first record, so a mistyped command does nothing."""
    (tmp_path / "a.ndjson").write_bytes(_lines([record()]))
    with pytest.raises(SourceError, match="does not exist"):
        take_in(tmp_path / "a.ndjson", tmp_path / "b.ndjson")
    assert take_in(tmp_path / "a.ndjson").counts.accepted == 1


def test_a_bad_file_does_not_stop_the_others(take_in, book, record, tmp_path):
    """Damage is a rejection that names the file, and the next file is read."""
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no more")
    (tmp_path / "b.ndjson").write_bytes(_lines([record()]))
    assert take_in(tmp_path).counts == IntakeCounts(2, 1, 0, 1)
    assert read_rejections(book, 1)[0].origin == str(tmp_path / "a.parquet")


def test_progress_is_told_after_every_chunk(take_in, record):
    """The counts grow chunk by chunk up to the result."""
    told = []
    text = _lines([record(id=str(number)) for number in range(25)])
    result = take_in("-", text=text, limits=Limits(chunk_records=10), on_progress=told.append)
    assert [counts.read for counts in told] == [10, 20, 25]
    assert told[-1] == result.counts


def test_a_ledger_that_fails_ends_the_reading_and_keeps_the_chunks_before(take_in, book, record):
    """Chunks are written in their order; what cannot be written is an error, and nothing after it is written."""
    told = []

    def forbid_more(counts):
        told.append(counts)
        with book.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE intakes RENAME TO gone")

    text = _lines([record(id=str(number)) for number in range(25)])
    with pytest.raises(DatabaseError, match="intakes"):
        take_in("-", text=text, limits=Limits(chunk_records=10), on_progress=forbid_more)
    assert [counts.accepted for counts in told] == [10]
    with reading(book) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar() == 10


def test_a_chunk_is_read_when_it_is_asked_for_and_no_further():
    """Chunks end at a number of records and at a number of bytes, and reading waits for who takes them."""
    small = Rejection(origin="x", line=1, reason="small", raw="x")
    large = Rejection(origin="x", line=1, reason="large", raw="x" * 200_000)
    seen = []
    chunks = intake._chunks((seen.append(one) or one for one in [small] * 100), 7)
    next(chunks)
    assert len(seen) == 7
    sizes = [len(refused) for _, refused in intake._chunks([large] * 100, 2_000)]
    assert sizes == [42, 42, 16]


def test_the_original_of_an_oversized_record_is_kept_up_to_the_limit(take_in, book):
    """Of a record beyond the limit the beginning is on record."""
    take_in("-", text=b'{"id": "' + b"x" * 500 + b'"}\n', limits=Limits(record_bytes=100))
    (refused,) = read_rejections(book, 5)
    assert refused.raw == '{"id": "' + "x" * 92
    assert "larger than 100 bytes" in refused.reason


def test_reference_cycles_are_searched_for_again_when_ingest_is_done(take_in, record, monkeypatch):
    """The collector is paused while reading, runs between chunks, and is on again afterwards."""
    monkeypatch.setattr(intake, "_CHUNKS_PER_SEARCH", 1)
    during = []
    take_in("-", text=_lines([record()]), on_progress=lambda _: during.append(gc.isenabled()))
    assert during == [False]
    assert gc.isenabled()
    gc.disable()
    try:
        take_in("-", text=_lines([record()]))
        assert not gc.isenabled()
    finally:
        gc.enable()


bad_lines = st.binary(min_size=1, max_size=60).map(lambda line: b"!" + line.replace(b"\n", b" "))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(bad_lines, max_size=10), st.integers(0, 2**60))
def test_malformed_lines_never_stop_the_events_between_them(book, mapper, record, bad, salt):
    """Every good line is accepted and every bad one is on record, wherever they stand."""
    good = [orjson.dumps(record(id=f"{salt}-{number}")) for number in range(len(bad) + 1)]
    mixed = [part for pair in zip(good, [*bad, b""], strict=True) for part in pair]
    now = record.__globals__["NOW"]
    told = []
    ingest(
        book,
        ["-"],
        mapper,
        now=lambda: now,
        stdin=io.BytesIO(b"\n".join(mixed)),
        on_progress=told.append,
        limits=Limits(chunk_records=3),
    )
    total = reduce(lambda _, counts: counts, told)
    assert total.rejected == len(bad)
    assert total.accepted + total.duplicates == len(good)
