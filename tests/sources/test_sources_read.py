"""From paths to records: Parquet, suffixes, folders, and files that cannot be read."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from tasks.sources import tables
from tasks.sources.read import STDIN, SourceError, find_sources, read_raw
from tasks.sources.records import Limits


def _write(path, text="{}\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_folder_gives_its_files_in_sorted_order_without_hidden_ones(tmp_path):
    """Folders are walked to the bottom; what is hidden, or lies in a hidden folder, is not there."""
    for name in ("b.ndjson", "a/z.JSON", "a/c.csv", ".hidden.ndjson", ".git/x.ndjson", "a/.x/y.ndjson"):
        _write(tmp_path / name)
    note = _write(tmp_path / "README.md")
    found = find_sources([tmp_path])
    assert [path.relative_to(tmp_path).as_posix() for path in found.paths] == [
        "b.ndjson",
        "a/c.csv",
        "a/z.JSON",
    ]
    assert found.skipped == (note,)


def test_paths_are_read_in_the_order_given_and_each_once(tmp_path):
    """A file named beside its folder is not read twice; standard input keeps its place."""
    first, second = _write(tmp_path / "a.ndjson"), _write(tmp_path / "b.jsonl")
    found = find_sources([second, STDIN, tmp_path])
    assert [str(path) for path in found.paths] == [str(second), "-", str(first)]


@pytest.mark.parametrize(
    ("name", "reason"), [("missing.ndjson", "does not exist"), ("there.txt", ".ndjson, .jsonl, .json, .csv")]
)
def test_a_named_path_that_cannot_be_read_is_refused(tmp_path, name, reason):
    """A path that is not there, or of another format, is an error that says what can be given."""
    _write(tmp_path / "there.txt")
    with pytest.raises(SourceError, match=reason):
        find_sources([tmp_path / name])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.ndjson", '{"id":"1"}\n{"id":"2"}\n'),
        ("a.JSONL", '{"id":"1"}\n{"id":"2"}\n'),
        ("a.json", '[{"id":"1"},{"id":"2"}]'),
        ("a.csv", "id\n1\n2\n"),
    ],
)
def test_the_suffix_says_how_a_file_is_read(tmp_path, name, text):
    """Every text format gives the same records."""
    records = read_raw(_write(tmp_path / name, text))
    assert [record.value for record in records] == [{"id": "1"}, {"id": "2"}]


def test_parquet_rows_become_json(tmp_path):
    """Nulls are fields that are not there; times and decimals are text; structs and lists are data."""
    path = tmp_path / "a.parquet"
    pl.DataFrame(
        {
            "id": ["1", "2"],
            "user": ["ann", None],
            "time": [datetime(2024, 5, 1, 10, tzinfo=UTC)] * 2,
            "day": [date(2024, 5, 1)] * 2,
            "price": [Decimal("1.50")] * 2,
            "wait": [timedelta(seconds=5)] * 2,
            "data": [{"text": "a", "score": None, "tags": ["x"]}, {"text": None, "score": 2, "tags": None}],
        }
    ).write_parquet(path)
    first, second = (record.value for record in read_raw(path))
    assert first["time"] == "2024-05-01T10:00:00+00:00"
    assert (first["day"], first["price"], first["wait"]) == ("2024-05-01", "1.50", "0:00:05")
    assert first["data"] == {"text": "a", "tags": ["x"]}
    assert "user" not in second
    assert second["data"] == {"score": 2}


def test_parquet_of_any_length_is_read_in_slices(tmp_path, monkeypatch):
    """Every row comes once and in order, whatever the size of a slice."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": range(2_500), "text": ["x" * 100] * 2_500}).write_parquet(path)
    monkeypatch.setattr(tables, "_SLICE_BYTES", 20_000)
    records = list(read_raw(path))
    assert [record.value["n"] for record in records] == list(range(2_500))
    assert [record.line for record in records] == list(range(1, 2_501))


def test_parquet_rows_that_cannot_be_records_are_problems(tmp_path):
    """Binary columns and oversized rows say so, row by row."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": [b"\xff", None], "b": ["", "x" * 500]}).write_parquet(path)
    binary, large = read_raw(path, Limits(record_bytes=200))
    assert "cannot be JSON: Type is not JSON serializable: bytes" in binary.problem
    assert "larger than 200 bytes" in large.problem


def test_a_parquet_file_that_turns_bad_is_a_problem_at_the_row_where_it_does(tmp_path):
    """Rows before the damage are read; a file that is no Parquet is one problem."""
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": range(4_000), "text": [f"row {n}" for n in range(4_000)]}).write_parquet(
        path, row_group_size=1_000, compression="uncompressed"
    )
    data = bytearray(path.read_bytes())
    begin, end = data.index(b"row 3000"), data.index(b"row 3900")
    data[begin - 64 : end] = b"\xff" * (end - begin + 64)
    path.write_bytes(data)
    *good, bad = read_raw(path)
    assert len(good) == bad.line - 1 >= 500
    assert all(record.problem is None for record in good)
    assert "cannot be read as Parquet from here on" in bad.problem
    (only,) = read_raw(_write(tmp_path / "b.parquet", "no parquet"))
    assert "cannot be read as Parquet" in only.problem


def test_a_file_that_cannot_be_opened_is_a_problem_and_no_exception(tmp_path):
    """A file that went away between finding and reading is one problem at its first line."""
    (only,) = read_raw(tmp_path / "gone.ndjson")
    assert only.line == 1
    assert "cannot be read from here on" in only.problem
