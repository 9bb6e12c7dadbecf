"""The shipped sample events are what their README says, and nothing that could be a real person's."""

import csv
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployments.demo import SAMPLE_EVENTS

LINES = (SAMPLE_EVENTS / "events.ndjson").read_text(encoding="utf-8").splitlines()
KINDS = {"feedback.submitted", "support.transcript", "survey.response", "system.alert"}
HOSTILE = {"vb-fb-2139", "hl-fb-2149", "hl-fb-2136", "mp-fb-2151", "qb-fb-2153", "nc-fb-2168"}


def usable(line: str) -> dict[str, Any] | None:
    """The event on a line, or None where the line is malformed on purpose."""
    try:
        value = json.loads(line)
        datetime.fromisoformat(value["time"])
        is_event = value["type"] in KINDS and value["tenant"] and value.get("schema_version", "1") == "1"
    except (ValueError, KeyError, TypeError):
        return None
    return value if is_event else None


def first_arrivals() -> list[dict[str, Any]]:
    """Good events in order of arrival, each identity once."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for event in filter(None, map(usable, LINES)):
        found.setdefault((event["tenant"], event["source"], event["id"]), event)
    return list(found.values())


def priority(event: dict[str, Any]) -> str:
    """The level by the usual rules of each kind."""
    data = event["data"]
    match event["type"]:
        case "feedback.submitted":
            return {3: "MEDIUM", 4: "HIGH", 5: "HIGH"}.get(data.get("rating_code"), "LOW")
        case "system.alert":
            return {"critical": "HIGH", "high": "HIGH", "medium": "MEDIUM"}.get(event["priority"], "LOW")
        case "support.transcript":
            return "LOW" if data["completion"] == "Complete" else "MEDIUM"
        case _:
            return "MEDIUM" if any(given["answer"] is False for given in data["answers"]) else "LOW"


EVENTS = first_arrivals()


def test_every_line_is_a_good_event_a_repeat_a_conflict_or_malformed():
    """The 332 lines are 313 good events, 8 repeats, 2 conflicts and 9 malformed lines."""
    malformed = [line for line in LINES if usable(line) is None]
    repeats = len(LINES) - len(set(LINES))
    conflicts = len(set(LINES)) - len(EVENTS) - len(malformed)
    assert (len(LINES), len(EVENTS), repeats, conflicts, len(malformed)) == (332, 313, 8, 2, 9)


@pytest.mark.parametrize(
    "sign",
    [
        "in the mid",
        '"Please see',
        "{}",
        "order.created",
        "last tuesday",
        "fb-0007",
        '"9"',
        r"C:\Veloria",
        "[1, 2",
    ],
)
def test_each_way_of_being_malformed_is_present(sign):
    """Truncation, wrong JSON types, unknown type, time, tenant, version and escape all occur once."""
    assert sum(sign in line for line in LINES if usable(line) is None) == 1


def test_kinds_and_tenants_are_spread_as_the_readme_says():
    """Each kind and each tenant has its count, and the README's table holds the same figures."""
    kinds = Counter(event["type"] for event in EVENTS)
    tenants = Counter(event["tenant"] for event in EVENTS)
    assert kinds == {
        "feedback.submitted": 162,
        "system.alert": 62,
        "survey.response": 54,
        "support.transcript": 35,
    }
    readme = (SAMPLE_EVENTS.parent / "README.md").read_text(encoding="utf-8")
    for tenant, count in tenants.items():
        assert re.search(rf"^\| `{tenant}` \|.*\| {count} \|[^|]*\|$", readme, re.MULTILINE)
    assert len(tenants) == 5


def test_users_recur_and_one_is_known_to_two_tenants():
    """22 people write at least five times each; one id stands for a user of two tenants."""
    users = Counter(event["user"] for event in EVENTS if event["user"])
    tenants_of_ines = {event["tenant"] for event in EVENTS if event["user"] == "u-ines-moreau"}
    assert len(users) == 22
    assert min(users.values()) >= 5
    assert tenants_of_ines == {"veloria-bikes", "quillstone-books"}


def test_levels_are_mixed_and_mostly_low():
    """About one event in five is HIGH, three in ten MEDIUM, half LOW."""
    assert Counter(map(priority, EVENTS)) == {"HIGH": 54, "MEDIUM": 86, "LOW": 173}


def test_times_span_sixty_days_and_arrive_in_order():
    """The first good event is of 19 September 2026, the last of 18 November, and arrival follows time."""
    times = [datetime.fromisoformat(event["time"]) for event in EVENTS]
    assert times == sorted(times)
    assert times[0].date().isoformat() == "2026-09-19"
    assert times[-1].date().isoformat() == "2026-11-18"


def test_unlock_failures_burst_among_low_events():
    """One topic of one tenant rises in the last seven days, after more than 45 days of hardly any."""
    since = datetime(2026, 11, 19, tzinfo=UTC) - timedelta(days=7)
    own = [event for event in EVENTS if event["tenant"] == "veloria-bikes" and priority(event) == "LOW"]
    times = [
        datetime.fromisoformat(event["time"])
        for event in own
        if event["data"].get("topic") == "unlock failure"
    ]
    assert sum(time >= since for time in times) >= 10
    assert sum(time < since for time in times) <= 3
    assert since - datetime.fromisoformat(own[0]["time"]) > timedelta(days=45)


def test_hostile_events_are_well_formed():
    """Injections, a fence-closer, markup, SQL and a rant are events like any other, not malformed lines."""
    texts = {event["id"]: event["data"]["text"] for event in EVENTS if event["id"] in HOSTILE}
    said = " ".join(texts.values()).lower()
    assert texts.keys() == HOSTILE
    for sign in ("ignore all previous instructions", "</events>", "<script>", "drop table", "complete joke"):
        assert sign in said


def test_texts_are_individual():
    """No two events say the same thing, apart from those that say next to nothing."""
    texts = [event["data"]["text"] for event in EVENTS if len(event["data"].get("text", "")) > 5]
    assert len(texts) == len(set(texts))
    assert max(map(len, texts)) <= 400
    assert {"ok", "n/a", "..."} <= {event["data"].get("text") for event in EVENTS}


def test_transcripts_are_conversations():
    """A transcript has 4 to 10 turns, every turn a speaker and something said."""
    for event in EVENTS:
        if event["type"] == "support.transcript":
            turns = event["data"]["turns"]
            assert 4 <= len(turns) <= 10
            assert all(turn["text"] and turn["speaker"] in {"customer", "agent"} for turn in turns)


@pytest.mark.parametrize("name", [*(path.name for path in SAMPLE_EVENTS.iterdir()), "../README.md"])
def test_no_address_or_number_could_be_real(name):
    """E-mail and web addresses are at example.*, telephone numbers are fictional 555 ones."""
    text = (SAMPLE_EVENTS / name).read_text(encoding="utf-8")
    hosts = re.findall(r"(?:[\w.+-]+@|https?://)([\w.-]+\w)", text)
    numbers = re.findall(r"(?<![\w-])\+?\(?\d{2,4}\)?(?:[ -]\d{3,4}){1,2}(?![\w-])", text)
    assert all(re.search(r"(^|\.)example\.(com|net|org)$", host) for host in hosts)
    assert all(number.startswith("555-01") for number in numbers)


def test_late_arrivals_and_documents_are_whole_and_new():
    """The two small files hold what the README says and repeat no event of the main file."""
    with (SAMPLE_EVENTS / "late_arrivals.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    documents = json.loads((SAMPLE_EVENTS / "documents.json").read_text(encoding="utf-8"))
    tenants = {event["tenant"] for event in EVENTS}
    assert (len(rows), len(documents)) == (8, 6)
    assert {row["type"] for row in rows} <= KINDS
    assert {document["type"] for document in documents} == {"document.received"}
    assert all(document["data"]["title"] and document["data"]["text"] for document in documents)
    assert {item["tenant"] for item in rows + documents} == tenants
    assert not {item["id"] for item in rows + documents} & {event["id"] for event in EVENTS}
