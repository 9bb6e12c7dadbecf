"""NDJSON and CSV: one bad line is one problem."""

import csv
import io

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.sources.lines import read_csv, read_ndjson
from tasks.sources.records import Limits

LIMITS = Limits(record_bytes=200)


def _ndjson(data, limits=LIMITS):
    return list(read_ndjson(io.BytesIO(data), limits))


def _rows(data, limits=LIMITS):
    return list(read_csv(io.BytesIO(data), limits))


def test_objects_are_read_with_their_line_numbers_and_blank_lines_are_ignored():
    """Lines count from 1 and blank ones count as lines but are no records."""
    found = _ndjson(b'\n{"a":1}\r\n   \n{"b":2}')
    assert [(record.line, record.value) for record in found] == [(2, {"a": 1}), (4, {"b": 2})]


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    """Windows programs' UTF-8 files are read like any other."""
    assert _ndjson(b'\xef\xbb\xbf{"a":1}\n')[0].value == {"a": 1}
    assert _rows(b"\xef\xbb\xbfa\n1\n")[0].value == {"a": "1"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": nope}', "not valid JSON"),
        (b'{"a": NaN}', "not valid JSON"),
        (b'{"a"', "not valid JSON"),
        (b'{"a": "\\ud800"}', "not valid JSON"),
        (b"[" * 100, "not valid JSON"),
        (b'{"a": "\xff"}', "not UTF-8: byte 0xff at position 7"),
        (b"[1]", "an array, not a JSON object"),
        (b"1.5", "a number, not a JSON object"),
        (b'"x"', "a text, not a JSON object"),
        (b"true", "true or false, not a JSON object"),
        (b"null", "null, not a JSON object"),
        (b'{"a": "' + b"x" * 300 + b'"}', "larger than 200 bytes"),
    ],
)
def test_a_line_that_is_no_object_is_a_problem_with_its_reason_and_the_next_is_read(line, reason):
    """Each kind of bad line says what is wrong, keeps its text, and stops nothing."""
    bad, good = _ndjson(line + b'\n{"a":1}\n')
    assert reason in bad.problem
    assert bad.value is None
    assert bad.raw == line[:200]
    assert (good.line, good.value) == (2, {"a": 1})


def test_a_line_larger_than_memory_allows_is_cut_and_never_held():
    """Of an endless line no more than the limit is kept, and the reader asks for bounded pieces."""

    class Endless(io.RawIOBase):
        pieces, largest = 40, 0

        def read(self, size=-1):
            Endless.largest = max(Endless.largest, size)
            self.pieces -= 1
            return b"x" * size if self.pieces >= 0 else b""

    (record,) = read_ndjson(Endless(), Limits())
    assert "larger than 262,144 bytes" in record.problem
    assert len(record.raw) == 262_144
    assert 0 < Endless.largest <= 2**20


def test_reading_is_lazy():
    """The first record comes after the first piece of the file, however long the file is."""

    class Counted(io.BytesIO):
        reads = 0

        def read(self, size=-1):
            self.reads += 1
            return super().read(size)

    stream = Counted(b'{"a":"%s"}\n' % (b"x" * 100) * 50_000)
    assert next(read_ndjson(stream, LIMITS)).line == 1
    assert stream.reads == 1


@given(st.lists(st.binary(max_size=300).map(lambda line: line.replace(b"\n", b"")), max_size=20))
@example([b'\xef\xbb\xbf{"a":1}'])
def test_whatever_the_lines_hold_the_good_ones_among_them_are_read(lines):
    """Any bytes as lines never raise and never hide the objects between them."""
    good = [orjson.dumps({"n": number}) for number in range(len(lines))]
    text = b"\n".join(part for pair in zip(good, lines, strict=True) for part in pair)
    found = [record.value for record in _ndjson(text) if record.problem is None]
    assert [value["n"] for value in found if set(value) == {"n"}] == list(range(len(lines)))


def test_csv_rows_are_named_by_the_header_and_empty_cells_are_not_there():
    """Cells stay text; quoted cells may hold commas, quotes and line ends; lines are the file's own."""
    found = _rows(b'id,text,user\r\n1,"a, ""b""\nc",\r\n\r\n2,d,e\r\n')
    assert [(record.line, record.value) for record in found] == [
        (2, {"id": "1", "text": 'a, "b"\nc'}),
        (5, {"id": "2", "text": "d", "user": "e"}),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"1", "has 1 cells, the header 2"),
        (b"1,2,3", "has 3 cells, the header 2"),
        (b'1,"a"b', "not valid CSV"),
        (b"1,\xff", "not UTF-8: byte 0xff"),
        (b"1," + b"x" * 300, "larger than 200 bytes"),
    ],
)
def test_a_bad_row_is_one_problem_with_its_text(row, reason):
    """Ragged, broken, undecodable and oversized rows are told apart and the next row is read."""
    bad, good = _rows(b"a,b\n" + row + b"\n3,4\n")
    assert reason in bad.problem
    assert row.startswith(bad.raw)
    assert (good.line, good.value) == (3, {"a": "3", "b": "4"})


def test_a_quote_that_is_never_closed_costs_its_own_row_only():
    """The rows that an open quote swallowed are read again."""
    found = _rows(b'a,b\n1,"open\n' + b"2,3\n" * 100)
    assert found[0].problem.startswith("the row is not valid CSV")
    assert [record.value for record in found[1:]] == [{"a": "2", "b": "3"}] * 100
    at_the_end = _rows(b'a,b\n2,3\n1,"open\n4,5')
    assert [record.value for record in at_the_end] == [{"a": "2", "b": "3"}, None, {"a": "4", "b": "5"}]


@pytest.mark.parametrize("header", [b"a,a\n1,2\n", b"a,\n1,2\n", b"\xff\n1\n"])
def test_a_header_that_cannot_name_columns_is_one_problem_for_the_file(header):
    """Without names no row can be read, and the file says so once."""
    (only,) = _rows(header)
    assert only.line == 1
    assert only.problem


def test_an_empty_csv_file_holds_no_records():
    """Nothing, or a header alone, is no record and no problem."""
    assert _rows(b"") == []
    assert _rows(b"a,b\n") == []


cells = st.text(st.characters(codec="utf-8"), max_size=8)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), max_size=8))
def test_csv_round_trip(table):
    """What the standard writer wrote is read back, cell by cell."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b", "c"])
    writer.writerows(table)
    found = _rows(out.getvalue().encode(), Limits())
    expected = [dict(zip("abc", cells, strict=True)) for cells in table]
    assert [record.value for record in found] == [
        {name: cell for name, cell in row.items() if cell} for row in expected
    ]


@given(st.binary(max_size=400))
def test_any_bytes_as_csv_never_raise(data):
    """Whatever a CSV file holds becomes rows or problems, and reading it ends."""
    for record in _rows(b"a,b\n" + data):
        assert (record.value is None) != (record.problem is None)
