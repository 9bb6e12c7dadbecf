"""The first door: 2,900 malformed records among good ones, as NDJSON, JSON, CSV and Parquet files."""

import io
import json
from itertools import count

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.batch_reads import to_event
from ledger.engine import close_ledger, open_ledger
from ledger.intake import read_rejections
from ledger.sql import reading
from tasks.redaction.finder import load_finder
from tasks.redaction.pseudonyms import Pseudonyms
from tasks.redaction.redactor import Redactor
from tasks.sources.intake import ingest
from tasks.sources.mapper import Mapper
from tasks.sources.mapping import load_mapping
from tasks.sources.text import event_text
from tests.conftest import NOW
from tests.fuzz.malformed import EACH, MANY, altered, cut_up, garbage_bytes, values

EVENT = {
    "id": "f-1",
    "source": "app",
    "type": "feedback.submitted",
    "tenant": "acme",
    "user": "u-7",
    "time": "2026-11-20T08:15:00Z",
    "priority": "high",
    "data": {"topic": "phones", "text": "Nobody answers.", "rating": 2},
}
PERSONAL = {
    **EVENT,
    "data": {"text": "Write to ingrid@falk.example.com.", "from": ["ingrid@falk.example.com"]},
}
TEXT = json.dumps(EVENT)
FLAT = {**EVENT, "data": "Nobody answers."}
NAMES = tuple(FLAT)

records = st.one_of(
    garbage_bytes,
    altered(EVENT).map(lambda event: json.dumps(event).encode()),
    cut_up(TEXT).map(lambda text: text.encode("utf-8", "surrogatepass")),
    values.map(lambda value: json.dumps(value).encode()),
)
few = st.lists(records, min_size=EACH, max_size=EACH)


@pytest.fixture(scope="module")
def door(sqlite_template, tmp_path_factory):
    """Takes a file in and checks that all was read, kept or refused with a reason; counts what was malformed."""
    folder = tmp_path_factory.mktemp("door")
    path = folder / "ledger.db"
    path.write_bytes(sqlite_template.read_bytes())
    ledger, mapping, numbers = open_ledger(f"sqlite:///{path}"), load_mapping(), count()

    def good():
        return {**EVENT, "id": f"good-{next(numbers)}", "tenant": "planted"}

    def take_in(name, content, planted, redactor=None):
        source = folder / name
        source.write_bytes(content)
        counts = ingest(ledger, [source], Mapper(mapping), now=lambda: NOW, redactor=redactor).counts
        assert counts.read == counts.accepted + counts.duplicates + counts.rejected
        for refused in read_rejections(ledger, counts.rejected):
            assert refused.reason.strip()
        with reading(ledger) as connection:
            ids = {f'"id":"{one["id"]}"' for one in planted}
            query = "SELECT payload FROM events WHERE tenant = 'planted' ORDER BY seq DESC LIMIT ?"
            found = " ".join(row[0] for row in connection.exec_driver_sql(query, (len(planted) + EACH,)))
            latest = "SELECT schema_version, payload FROM events ORDER BY seq DESC LIMIT ?"
            kept = connection.exec_driver_sql(latest, (counts.accepted,)).all()
        assert all(one in found for one in ids), "a good event did not arrive"
        for row in kept:
            assert isinstance(event_text(to_event(row)), str), "what was accepted cannot be worked on"

    def said_of(word):
        with reading(ledger) as connection:
            return [
                place
                for place in ("events", "rejections")
                for row in connection.exec_driver_sql(f"SELECT * FROM {place}")
                if word in repr(tuple(row))
            ]

    yield good, take_in, said_of
    close_ledger(ledger)


@settings(MANY, max_examples=200)
@given(few)
def test_1000_malformed_lines_stop_none_of_the_good_lines_between_them(door, malformed):
    """NDJSON: whatever stands in a line, the lines around it arrive."""
    good, take_in, _ = door
    planted = [good() for _ in range(EACH + 1)]
    lines = [json.dumps(planted[0]).encode()]
    for bad, one in zip(malformed, planted[1:], strict=True):
        lines += [bad, json.dumps(one).encode()]
    take_in("events.ndjson", b"\n".join(lines), planted)


@pytest.fixture(scope="module")
def redactor():
    """Redaction as an installation without a language model has it."""
    return Redactor(load_finder(), Pseudonyms(bytes(range(32))))


@settings(MANY, max_examples=20)
@given(
    st.lists(altered(PERSONAL).map(json.dumps) | cut_up(json.dumps(PERSONAL)), min_size=EACH, max_size=EACH)
)
def test_100_malformed_events_stop_none_and_tell_nothing_personal_where_redaction_is_on(
    door, redactor, malformed
):
    """Whatever is broken around a whole e-mail address, it is in no event and in no rejection."""
    good, take_in, said_of = door
    planted = [good() for _ in range(EACH + 1)]
    lines = [json.dumps(planted[0]).encode()]
    for bad, one in zip(malformed, planted[1:], strict=True):
        lines += [bad.encode("utf-8", "surrogatepass"), json.dumps(one).encode()]
    take_in("events.ndjson", b"\n".join(lines), planted, redactor)
    assert said_of("ingrid@falk.example.com") == []


@settings(MANY, max_examples=100)
@given(st.lists(values | altered(EVENT), min_size=EACH, max_size=EACH))
def test_500_elements_that_are_no_events_stop_none_of_the_good_ones_in_an_array(door, malformed):
    """A JSON array of anything: its events arrive, all else is refused with its reason."""
    good, take_in, _ = door
    planted = [good() for _ in range(EACH + 1)]
    elements = [planted[0]]
    for bad, one in zip(malformed, planted[1:], strict=True):
        elements += [bad, one]
    take_in("events.json", json.dumps(elements).encode(), planted)


@settings(MANY, max_examples=80)
@given(few)
def test_400_broken_texts_after_good_elements_are_refused_and_the_good_ones_kept(door, malformed):
    """A file that stops being JSON in its middle: what came before is taken in."""
    good, take_in, _ = door
    planted = [good() for _ in range(3)]
    start = b"".join(json.dumps(one).encode() + b"," for one in planted)
    take_in("events.json", b"[" + start + b",".join(malformed), planted)


@settings(MANY, max_examples=80)
@given(st.lists(records.map(lambda record: record.replace(b'"', b"'")), min_size=EACH, max_size=EACH))
def test_400_malformed_rows_stop_none_of_the_good_rows_between_them(door, malformed):
    """CSV: a row that is none is one rejection."""
    good, take_in, _ = door
    planted = [{**good(), "data": "Nobody answers."} for _ in range(EACH + 1)]
    rows = [",".join(NAMES).encode(), row_of(planted[0])]
    for bad, one in zip(malformed, planted[1:], strict=True):
        rows += [bad, row_of(one)]
    take_in("events.csv", b"\n".join(rows), planted)


@settings(MANY, max_examples=60)
@given(few)
def test_300_texts_that_are_no_tables_are_refused(door, malformed):
    """CSV from the first byte: no header, quotes that never close, anything at all."""
    _, take_in, _ = door
    take_in("events.csv", b"\n".join(malformed), [])


def row_of(event):
    """A good event as a CSV row."""
    return ",".join(str(event[name]) for name in NAMES).encode()


def table() -> bytes:
    """A valid Parquet file."""
    out = io.BytesIO()
    pl.DataFrame([FLAT] * 3).write_parquet(out)
    return out.getvalue()


PARQUET = table()


@settings(MANY, max_examples=200)
@given(st.integers(0, len(PARQUET)), st.integers(0, 30), garbage_bytes)
def test_200_broken_tables_are_read_as_far_as_they_go(door, at, size, piece):
    """Parquet with something else in its middle, its header or its footer."""
    _, take_in, _ = door
    take_in("events.parquet", PARQUET[:at] + piece[:1_000] + PARQUET[at + size :], [])
