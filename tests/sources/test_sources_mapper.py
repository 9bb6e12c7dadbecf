"""From records to events: what is accepted, what is refused, and in which words."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Event, Kind, Priority, content_hash, event_key
from ledger.intake import PreparedEvent
from tasks.sources.mapper import Mapper
from tasks.sources.prepare import outcome_of, prepare
from tasks.sources.records import RawRecord, RecordError


def test_a_record_becomes_an_event(mapper, record):
    """What the record says is kept; what it leaves out comes from the mapping."""
    event = mapper.event(record(user="ann", data={"text": "late", "issue": " Billing ", "rating_code": 5}))
    assert event == Event(
        id="1",
        source="app",
        type=Kind.FEEDBACK,
        time=event.time,
        tenant="acme",
        user="ann",
        priority=Priority.HIGH,
        feature="feedback",
        topic="Billing",
        data={"text": "late", "issue": " Billing ", "rating_code": 5},
    )
    assert event.time.isoformat() == "2024-05-01T00:00:00+00:00"


def test_an_event_as_we_write_it_is_read_back_unchanged(mapper, record):
    """An event that was mapped before, schema_version and all, is itself."""
    event = mapper.event(record(priority="urgent", topic="doors", feature="lobby", user="ann"))
    assert mapper.event(event.model_dump(mode="json")) == event


def test_a_cloud_event_is_read(mapper):
    """CloudEvents names and extension attributes are known; unknown ones are kept under `_extensions`."""
    event = mapper.event(
        {
            "specversion": "1.0",
            "id": "7",
            "source": "/shop",
            "type": "system.alert",
            "subject": "checkout",
            "time": "2024-05-01T10:00:00+02:00",
            "datacontenttype": "application/json",
            "traceparent": "00-1",
            "tenant": "acme",
            "data": {"text": "down"},
        }
    )
    assert event.time.isoformat() == "2024-05-01T08:00:00+00:00"
    assert event.topic == "checkout"
    assert event.data == {
        "text": "down",
        "_extensions": {"datacontenttype": "application/json", "traceparent": "00-1"},
    }


def test_data_that_is_text_is_read_as_json_or_kept_as_text(mapper, record):
    """CSV carries objects as JSON text; CloudEvents may carry plain text; both become objects."""
    assert mapper.event(record(data='{"rating_code": "4"}')).priority == Priority.HIGH
    assert mapper.event(record(data="plain [text]")).data == {"text": "plain [text]"}
    assert mapper.event(record(data="[1]")).data == {"text": "[1]"}


def test_a_flat_record_is_its_own_data(mapper, record):
    """Without a data field, the fields that nothing else claims are the data."""
    event = mapper.event(record(data=None) | {"text": "late", "issue": "buses"})
    assert event.data == {"text": "late", "issue": "buses"}
    assert event.topic == "buses"
    assert mapper.event(record(data=None)).data == {}


@pytest.mark.parametrize("missing", [None, ""])
def test_user_time_and_priority_may_be_unknown(mapper, record, missing):
    """Null and empty text are the same as a field that is not there."""
    event = mapper.event(
        record() | {"user": missing, "time": missing, "priority": missing, "feature": missing}
    )
    assert (event.user, event.time, event.feature) == (None, None, "feedback")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"tenant": None}, "no tenant: the record must name one, or set default_tenant in the mapping"),
        ({"tenant": ""}, "no tenant"),
        ({"id": None}, "no id: the record must name one"),
        ({"source": None}, "no source"),
        ({"type": None}, "no type; known are feedback.submitted, support.transcript"),
        ({"type": "order.placed"}, "type 'order.placed' is not known; known are feedback.submitted"),
        ({"type": ["x"]}, "type ['x'] is not known"),
        ({"schema_version": "7"}, "schema_version '7' is not known; this version reads '1'"),
        ({"schema_version": 1}, "schema_version 1 is not known"),
        ({"specversion": "0.3"}, "specversion '0.3' is not known; this version reads '1.0'"),
        ({"id": 7}, "id: Input should be a valid string; it is 7"),
        ({"id": ""}, "id: String should have at least 1 character"),
        ({"id": "x" * 300}, "id: String should have at most 256 characters"),
        ({"tenant": "a\x00b"}, "holds a NUL character"),
        ({"user": {"name": "x" * 200}}, "user: Input should be a valid string; it is {'name': 'xxx"),
        ({"priority": "spicy"}, "priority 'spicy' is not known; add it to the mapping's severity_words"),
        ({"priority": 0}, "priority 0 is not known"),
        ({"data": [1]}, "data is an array; it must be an object or a text"),
        ({"data": None, "data_base64": "eA=="}, "data_base64 is not read"),
        ({"time": "yesterday"}, "time 'yesterday' is not ISO 8601"),
        ({"time": "2024-02-30"}, "time '2024-02-30' is not ISO 8601"),
        ({"time": "1969-12-31"}, "outside the years 1970 to 2100"),
        ({"time": "0001-01-01T00:00:00+10:00"}, "time '0001-01-01T00:00:00+10:00' is not ISO 8601"),
        ({"time": 1_700_000_000}, "time is a number; it must be ISO 8601 text"),
    ],
)
def test_a_record_that_cannot_be_an_event_is_refused_with_its_reason(mapper, record, fields, reason):
    """Each refusal names the field, what it holds and what would do, in a bounded sentence."""
    value = record(**fields)
    refused = outcome_of(RawRecord(3, b'{"raw": "\xff"}', value, None), "in.ndjson", mapper)
    assert reason in refused.reason
    assert len(refused.reason) < 300
    assert (refused.origin, refused.line, refused.raw) == ("in.ndjson", 3, '{"raw": "\\xff"}')
    assert refused.tenant == value.get("tenant")


@pytest.mark.parametrize(
    ("said", "iso"),
    [
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00+00:00"),
        ("2024-05-01T10:00:00.250+02:00", "2024-05-01T08:00:00.250000+00:00"),
        ("2024-05-01 10:00", "2024-05-01T10:00:00+00:00"),
        ("2024-05-01", "2024-05-01T00:00:00+00:00"),
        ("20240501", "2024-05-01T00:00:00+00:00"),
    ],
)
def test_times_are_utc(mapper, record, said, iso):
    """A zone is converted, none is taken as UTC, a date alone is its midnight."""
    assert mapper.event(record(time=said)).time.isoformat() == iso


@pytest.mark.parametrize(
    ("word", "priority"),
    [
        ("CRITICAL", "HIGH"),
        (" High ", "HIGH"),
        ("Sev1", "HIGH"),
        ("moderate", "MEDIUM"),
        ("P5", "LOW"),
        ("informational:unsound", "MEDIUM"),
        ("informational:unmaintained", "LOW"),
        ("informational:notice", "LOW"),
    ],
)
def test_the_sources_own_words_for_urgency_come_first(mapper, record, word, priority):
    """A stated severity wins over the rules, in any case."""
    assert mapper.event(record(priority=word, data={"rating_code": 3})).priority == priority


@pytest.mark.parametrize(
    ("kind", "data", "priority"),
    [
        ("feedback.submitted", {"rating_code": 5}, "HIGH"),
        ("feedback.submitted", {"rating_code": 3}, "MEDIUM"),
        ("feedback.submitted", {"rating_code": 1}, "LOW"),
        ("feedback.submitted", {"rating_code": 7}, "LOW"),
        ("feedback.submitted", {"timely": "No"}, "HIGH"),
        ("feedback.submitted", {"timely": "Yes"}, "MEDIUM"),
        ("support.transcript", {"completion": "Complete", "happy_path": True}, "LOW"),
        ("support.transcript", {"completion": "EarlyDisconnectDuringDialogue"}, "MEDIUM"),
        ("support.transcript", {"completion": "Complete", "happy_path": False}, "MEDIUM"),
        ("support.transcript", {"channel": "#ubuntu"}, "LOW"),
        ("survey.response", {"answers": [{"answer": True}, {"answer": False}]}, "MEDIUM"),
        ("survey.response", {"answers": [{"answer": "no"}]}, "LOW"),
        ("system.alert", {"known_ransomware_use": "Known"}, "HIGH"),
        ("system.alert", {"known_ransomware_use": "Unknown"}, "MEDIUM"),
        ("document.received", {}, "MEDIUM"),
    ],
)
def test_rules_give_the_priority_where_the_source_states_none(mapper, record, kind, data, priority):
    """The shipped rules of every kind."""
    assert mapper.event(record(type=kind, data=data)).priority == priority


def test_the_topic_is_the_first_that_is_there_and_fits_a_name(mapper, record):
    """Paths in order, numbers as text, cut at 256 characters, else the fallback."""
    assert (
        mapper.event(record(data={"labelled_topics": ["Staff", "Food"], "service": "111"})).topic == "Staff"
    )
    assert mapper.event(record(data={"labelled_topics": [], "service": 111})).topic == "111"
    assert mapper.event(record(data={"issue": "x" * 300})).topic == "x" * 256
    assert mapper.event(record(data={"issue": {"a": 1}})).topic == "feedback"
    assert mapper.event(record(type="survey.response", source="pulse")).topic == "pulse"


def test_a_default_tenant_takes_in_what_names_none(mapping, record):
    """Where the operator named one, records without a tenant are accepted."""
    mapper = Mapper(mapping.model_copy(update={"default_tenant": "shared"}))
    assert mapper.event(record(tenant=None)).tenant == "shared"
    assert mapper.event(record()).tenant == "acme"


def test_fields_may_lie_deeper_and_have_several_names(mapping, record):
    """A mapping can follow a path into an envelope; what it does not name is data's."""
    fields = mapping.fields.model_copy(update={"tenant": ("detail.account", "tenant"), "data": ("detail",)})
    mapper = Mapper(mapping.model_copy(update={"fields": fields}))
    event = mapper.event(record(data=None, detail={"account": "deep", "text": "hi"}))
    assert (event.tenant, event.data) == (
        "deep",
        # It said two tenants; the one that was not taken is kept, too.
        {"account": "deep", "text": "hi", "_extensions": {"tenant": "acme"}},
    )
    assert mapper.event(record(data=None, detail={"text": "hi"})).tenant == "acme"


def test_what_is_prepared_is_the_event_its_key_and_its_hash(mapper, record):
    """The ledger gets the event's own JSON, the contracts' key and hash, and a size of at least one token."""
    reading = mapper.read(record(time="2024-05-01T10:00:00.5Z", user="ünï", topic="phones"))
    event = reading.event
    prepared = prepare(reading, 9, b"raw")
    assert Event.model_validate_json(prepared.payload) == event
    assert prepared.key == event_key("acme", "app", "1")
    assert prepared.content_hash == content_hash(event, reading.stated)
    assert (prepared.pipeline, prepared.line, prepared.raw) == ("insights", 9, b"raw")
    assert prepared.tokens == len(prepared.payload) // 4


def test_data_nested_beyond_what_can_be_written_is_refused(mapper, record):
    """A bomb of brackets is a rejection, not a crash."""
    data = {}
    for _ in range(400):
        data = {"a": data}
    with pytest.raises(RecordError, match="data cannot be kept as JSON"):
        prepare(mapper.read(record(data=data)), 1, b"")


@pytest.mark.parametrize("said", [{"priority": "low"}, {"feature": "web"}, {"topic": "phones"}])
def test_what_a_source_states_is_content_and_what_the_mapping_decides_is_not(mapping, mapper, record, said):
    """The same id with another stated priority, feature or topic conflicts; after other rules it is the same."""
    without, stated = mapper.read(record()), mapper.read(record(**said))
    assert content_hash(without.event, without.stated) != content_hash(stated.event, stated.stated)
    kinds = {
        kind: rules.model_copy(update={"rules": (), "priority": Priority.LOW, "feature": "other"})
        for kind, rules in mapping.kinds.items()
    }
    edited = Mapper(mapping.model_copy(update={"kinds": kinds})).read(record())
    assert edited.event.priority is Priority.LOW
    assert content_hash(edited.event, edited.stated) == content_hash(without.event, without.stated)


names = st.sampled_from(
    ["id", "source", "type", "tenant", "user", "time", "priority", "feature", "topic", "data", "subject", "x"]
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=8)
    | st.sampled_from(["feedback.submitted", "survey.response", "2024-05-01", "HIGH", string.printable]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(names, json_values), st.booleans())
def test_any_object_becomes_an_event_or_a_rejection(mapper, record, value, begun):
    """Whatever the fields hold, mapping gives one of the two and never raises."""
    whole = record() | value if begun else value
    outcome = outcome_of(RawRecord(1, b"{}", whole, None), "x", mapper)
    if isinstance(outcome, PreparedEvent):
        assert Event.model_validate_json(outcome.payload).id == whole["id"]
    else:
        assert outcome.reason


def test_blanks_around_a_tenant_or_user_are_no_part_of_their_names(mapper, record):
    """What an operator types and what a sender writes is the same one; a name of blanks alone is refused."""
    event = mapper.event(record(tenant=" acme\t", user="\u00a0ann "))
    assert (event.tenant, event.user) == ("acme", "ann")
    for field in ("tenant", "user"):
        with pytest.raises(RecordError, match=f"{field}.*blank"):
            mapper.event(record(**{field: " \t"}))
