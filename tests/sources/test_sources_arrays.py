"""JSON files: elements are found however the bytes are cut into pieces."""

import io
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.sources import arrays
from tasks.sources.arrays import read_json
from tasks.sources.records import Limits

LIMITS = Limits(record_bytes=400)


class Pieces(io.BytesIO):
    """A stream that gives a few bytes at a time, whatever is asked."""

    def __init__(self, data, size):
        super().__init__(data)
        self.size = size

    def read(self, size=-1):
        """At most the few bytes."""
        return super().read(min(size, self.size))


def _read(data, piece=10_000, limits=LIMITS):
    return list(read_json(Pieces(data, piece), limits))


def _values(data, piece=10_000, limits=LIMITS):
    return [record.value for record in _read(data, piece, limits)]


texts = st.text(alphabet='ab{}[],:"\\\n é☃', max_size=12)
trees = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts.filter(lambda name: name != "events"), trees, max_size=4)


@given(st.lists(objects, max_size=5), st.integers(3, 40), st.sampled_from([None, 2]))
def test_an_array_gives_its_objects_wherever_the_bytes_are_cut(items, piece, indent):
    """Strings with brackets, commas, quotes and escapes never mislead the scanner, in any piece size."""
    text = json.dumps(items, indent=indent, ensure_ascii=False).encode()
    assert _values(text, piece, Limits()) == items


@given(st.lists(objects, min_size=1, max_size=4), objects, st.integers(3, 40))
def test_an_events_member_gives_its_objects_and_the_members_around_it_are_ignored(items, other, piece):
    """`{"events": [...]}` may have members before and after its events."""
    wrapped = {"about": other, "events": items, "page": {"events": [{}], "n": [1]}}
    assert _values(json.dumps(wrapped).encode(), piece, Limits()) == items


@given(st.lists(objects, max_size=4), st.integers(3, 40), st.sampled_from(["", "\n", " , "]))
def test_objects_one_after_another_are_each_an_element(items, piece, between):
    """One object is one record; NDJSON in a .json file is read as what it is."""
    assert _values(between.join(map(json.dumps, items)).encode(), piece, Limits()) == items


def test_elements_are_numbered_and_a_byte_order_mark_is_skipped():
    """The line of an element is its number."""
    found = _read(b'\xef\xbb\xbf[{"a":1}, 7, {"b":2},]')
    assert [(record.line, record.value) for record in found] == [(1, {"a": 1}), (2, None), (3, {"b": 2})]
    assert "a number, not a JSON object" in found[1].problem


@pytest.mark.parametrize(
    ("text", "good", "reasons"),
    [
        (b"", [], []),
        (b" \n", [], []),
        (b"[]", [], []),
        (b'[{"a":1}, {"b": nope}, {"c":3}]', [{"a": 1}, {"c": 3}], ["not valid JSON"]),
        (b'[{"a":1}, {"b": "\xff"}, {"c":3}]', [{"a": 1}, {"c": 3}], ["not UTF-8"]),
        (b'[{"a":1}, {"b":', [{"a": 1}], ["ends before its JSON does"]),
        (b'[{"a":1}', [{"a": 1}], ["ends before its JSON does"]),
        (b'[{"a":1}, {"b": "', [{"a": 1}], ["ends before its JSON does"]),
        (b'{"events": [{"a":1}', [{"a": 1}], ["ends before its JSON does"]),
        (b'hello [{"a":1}]', [], ["not valid JSON"]),
        (b'[{"a":1}] tail', [{"a": 1}], ["not valid JSON"]),
        (b'}{"a":1}', [], ["not valid JSON"]),
        (b'{"a":1}}', [{"a": 1}], ["not valid JSON"]),
        (b'[{"a":"' + b"x" * 900 + b'"},{"b":2}]', [{"b": 2}], ["larger than 400 bytes"]),
    ],
)
@pytest.mark.parametrize("piece", [3, 10_000])
def test_a_broken_element_is_a_problem_and_the_others_are_read(text, good, reasons, piece):
    """What cannot be read says why; what can be is read."""
    found = _read(text, piece)
    assert [record.value for record in found if record.problem is None] == good
    problems = [record.problem for record in found if record.problem]
    assert len(problems) == len(reasons)
    for problem, reason in zip(problems, reasons, strict=True):
        assert reason in problem


@given(st.binary(max_size=200), st.integers(3, 30))
def test_any_bytes_as_json_never_raise(data, piece):
    """Whatever a .json file holds becomes records or problems, and reading it ends."""
    for record in _read(data, piece):
        assert (record.value is None) != (record.problem is None)


def test_an_array_of_any_length_is_read_a_piece_at_a_time():
    """The first element comes after one piece, and no more than the limit of an element is kept."""
    stream = io.BytesIO(b"[" + orjson.dumps({"a": "x" * 100}) * 20_000)
    next(read_json(io.BytesIO(b'[{"a":1},' + b" " * 10**7), LIMITS))
    assert list(read_json(stream, LIMITS))[-1].problem == "the file ends before its JSON does"
    splitter = arrays._Splitter(LIMITS.record_bytes + 1)
    for _ in range(50):
        splitter.feed(b'{"x": [' + b"y" * 100_000)
    assert len(splitter.rest) == LIMITS.record_bytes + 1
