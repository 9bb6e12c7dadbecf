"""Routes: by content, an operator's file decides what is taken and as what."""

import pytest

from contracts.events import Kind, Priority
from tasks.routing.rules import RoutesError, load_routes
from tasks.sources.mapper import Mapper
from tasks.sources.records import RecordError

TICKET = {
    "version": "0",
    "id": "e-1",
    "source": "helpdesk",
    "detail-type": "Ticket Opened",
    "time": "2026-11-20T10:00:00Z",
    "account": "111122223333",
    "detail": {"customer": {"org": "acme", "person": "ann"}, "text": "It broke again", "severity": "on fire"},
}
ROUTES = """
[[route]]
name = "tests of ours"
take = false
pattern = { detail = { customer = { org = ["staging"] } } }

[[route]]
name = "tickets"
type = "support.transcript"
priority = "HIGH"
feature = "helpdesk"
pipeline = "documents"
fields = { tenant = ["detail.customer.org"], user = ["detail.customer.person"], topic = ["detail.severity"] }
[route.pattern]
source = ["helpdesk"]
detail-type = [{ prefix = "Ticket" }]

[[route]]
name = "never reached"
type = "system.alert"
pattern = { source = ["helpdesk"] }
"""


@pytest.fixture
def routed(tmp_path, mapping):
    """Makes a mapper with these routes before the shipped mapping."""

    def make(text):
        path = tmp_path / "routes.toml"
        path.write_text(text)
        return Mapper(mapping, load_routes(path))

    return make


def test_a_route_says_what_a_record_is(routed):
    """Its kind, priority, feature, pipeline, and where it keeps the rest; the first that matches decides."""
    reading = routed(ROUTES).read(TICKET)
    event = reading.event
    assert (event.type, event.priority, event.feature) == (Kind.TRANSCRIPT, Priority.HIGH, "helpdesk")
    assert (event.tenant, event.user, event.topic) == ("acme", "ann", "on fire")
    assert reading.pipeline == "documents"


def test_what_a_route_decided_otherwise_is_kept_as_it_was_said(routed):
    """Nothing of a record is lost: the type that it had stands with its other fields."""
    data = routed(ROUTES).event(TICKET).data
    assert data["text"] == "It broke again"
    assert data["_extensions"]["detail-type"] == "Ticket Opened"
    assert data["_extensions"]["account"] == "111122223333"


def test_what_a_route_leaves_is_refused_by_its_name(routed):
    """It is on record as rejected, with the route to look for."""
    record = TICKET | {"detail": {"customer": {"org": "staging"}}}
    with pytest.raises(RecordError, match="the route 'tests of ours' leaves it"):
        routed(ROUTES).read(record)


def test_what_no_route_takes_is_as_the_operator_says(routed, record):
    """Taken as the mapping has it, or left."""
    assert routed(ROUTES).event(record()).type is Kind.FEEDBACK
    with pytest.raises(RecordError, match="no route takes it"):
        routed('otherwise = "leave"\n' + ROUTES).event(record())


def test_a_priority_that_a_route_decides_is_no_part_of_what_the_source_said(routed, mapper, record):
    """The same event is a duplicate after the routes were edited."""
    text = '[[route]]\nname = "all"\npriority = "HIGH"\npattern = { source = ["app"] }'
    before, after = mapper.read(record(priority="p2")), routed(text).read(record(priority="p2"))
    assert (before.event.priority, after.event.priority) == (Priority.MEDIUM, Priority.HIGH)
    assert before.stated == after.stated


def test_an_events_own_words_for_urgency_need_not_be_known_where_a_route_decides(routed, record):
    """The route's priority stands for them."""
    text = '[[route]]\nname = "all"\npriority = "LOW"\npattern = { source = ["app"] }'
    assert routed(text).event(record(priority="whenever")).priority is Priority.LOW


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[route]\n", "are not TOML"),
        ('[[route]]\nname = "x"\n', r"route\.0\.pattern: Field required"),
        ('[[route]]\nname = "x"\npattern = { source = "a" }\n', r"route\.0\.pattern: .*source: give a list"),
        (
            '[[route]]\nname = "x"\npattern = { a = ["b"] }\ntype = "lost"\n',
            r"route\.0\.type: .*'feedback.submitted'",
        ),
        ('[[route]]\nname = "x"\npattern = { a = ["b"] }\nqueue = "y"\n', r"route\.0\.queue: Extra inputs"),
        ('otherwise = "drop"\n', "otherwise: .*'take' or 'leave'"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path, text, said):
    """And with what is allowed there."""
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RoutesError, match=rf"(?s)mine\.toml.*{said}"):
        load_routes(path)


def test_a_file_that_is_not_there_names_the_setting(tmp_path):
    """Whoever moved it knows what to change."""
    with pytest.raises(RoutesError, match="check PENSTOCK_ROUTES"):
        load_routes(tmp_path / "gone.toml")
