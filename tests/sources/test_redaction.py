"""Redaction: nothing personal that is found reaches the ledger, and everything else is as without it."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise

import orjson
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import OperatorError
from ledger.erasure import erase_person
from ledger.intake import IntakeCounts, read_rejections
from ledger.sql import reading
from tasks.redaction import pseudonyms
from tasks.redaction.finder import WINDOW_CHARACTERS, load_finder, windows
from tasks.redaction.findings import Finding, merged, outside_marks
from tasks.redaction.pseudonyms import KEY_FILE, Pseudonyms, load_key
from tasks.redaction.redactor import Redactor
from tasks.redaction.start import names_of, redactor_of
from tasks.setting_fields import SettingsError
from tasks.settings import Settings, load_settings

KEY = bytes(range(32))
NOTE = "My name is Ingrid Falk, call me on 020 7946 0018 or write to ingrid@falk.example.com."


@pytest.fixture(scope="module")
def redactor():
    """A redactor without a model, as an installation has it."""
    return Redactor(load_finder(), Pseudonyms(KEY))


def _everything(book):
    """All that the ledger's events and rejections say, as one text, and the payloads of the events."""
    with reading(book) as connection:
        kept = connection.exec_driver_sql("SELECT user, topic, payload FROM events ORDER BY seq").all()
        refused = connection.exec_driver_sql("SELECT reason, payload FROM rejections").all()
    return repr((kept, refused)), [orjson.loads(row.payload) for row in kept]


def _lines(*records):
    return b"\n".join(one if isinstance(one, bytes) else orjson.dumps(one) for one in records)


def test_what_is_personal_is_not_in_the_ledger(take_in, book, record, redactor):
    """Text, nested answers, numbers, field names, topic and user of an event are redacted before they are kept."""
    data = {
        "text": NOTE,
        "turns": [
            {"speaker": "ingrid.falk", "said": ["Yours sincerely,\nIngrid Falk", {"phone": 2079460018}]}
        ],
        "by": {"ingrid@falk.example.com": 5},
        "rating": 4,
    }
    event = record(user="ingrid.falk", topic="for ingrid@falk.example.com", data=data, priority="high")
    assert take_in("-", text=_lines(event), redactor=redactor).counts.accepted == 1
    said, (payload,) = _everything(book)
    for personal in ("Ingrid", "ingrid", "Falk", "7946", "2079460018"):
        assert personal not in said
    user = redactor.user("ingrid.falk")
    assert payload["user"] == payload["data"]["turns"][0]["speaker"] == user
    assert payload["topic"] == "for [EMAIL_ADDRESS]"
    assert payload["data"]["turns"][0]["said"][1] == {"phone": "[PHONE_NUMBER]"}
    assert payload["data"]["by"] == {"[EMAIL_ADDRESS]": 5}
    assert payload["data"]["rating"] == 4
    assert (payload["id"], payload["tenant"], payload["priority"]) == ("1", "acme", "HIGH")


def test_rejections_and_conflicts_hold_nothing_personal(take_in, book, record, redactor):
    """What is refused is kept redacted, in its reason too: an unknown kind, no JSON, and an id used twice."""
    unknown = record(type="ingrid@falk.example.com", user="ingrid.falk", data={"text": f"Hello\n{NOTE}"})
    broken = b'{"text": "ask ingrid@falk.example.com'
    conflict = record(user="ingrid.falk", data={"text": NOTE})
    text = _lines(unknown, broken, record(), conflict)
    assert take_in("-", text=text, redactor=redactor).counts == IntakeCounts(4, 1, 0, 3)
    said, _ = _everything(book)
    assert "ngrid" not in said
    assert "7946" not in said
    assert sum("already exists" in one.reason for one in read_rejections(book, 3)) == 1
    assert all("[EMAIL_ADDRESS]" in one.raw for one in read_rejections(book, 3))


@pytest.mark.parametrize("depth", [300, 700, 2_000])
def test_what_is_nested_beyond_reason_is_a_rejection_and_stops_nothing(
    take_in, book, record, redactor, depth
):
    """As without redaction; the events around it are taken in, and what is shown of it is redacted."""
    deep = orjson.dumps(record(id="deep")).replace(
        b'"fine"', b"[" * depth + b'"ann@example.com"' + b"]" * depth
    )
    text = _lines(record(id="1"), deep, record(id="2"))
    assert take_in("-", text=text, redactor=redactor).counts == IntakeCounts(3, 2, 0, 1)
    assert "ann@example.com" not in _everything(book)[0]


def test_without_it_events_are_kept_as_they_came(take_in, book, record, tmp_path):
    """Redaction is off unless it is asked for."""
    assert redactor_of(Settings()) is None
    assert names_of("ann", Settings(home=tmp_path)) == ("ann",)
    take_in("-", text=_lines(record(user="ann", data={"text": NOTE})))
    assert _everything(book)[1][0]["data"]["text"] == NOTE


def test_a_person_is_erased_by_the_name_that_the_operator_knows(take_in, book, record, tmp_path):
    """Taken in before redaction was on and while it was: both are found and removed."""
    redactor = Redactor(lambda _: [], Pseudonyms(load_key(tmp_path)))
    take_in("-", text=_lines(record(id="1", user="ann")))
    take_in("-", text=_lines(record(id="2", user="ann")), redactor=redactor)
    names = names_of("ann", Settings(home=tmp_path))
    assert erase_person(book, "acme", names, datetime(2026, 1, 1, tzinfo=UTC)).events == 2


def test_an_event_is_its_own_duplicate_before_and_after_redaction_is_switched_on(take_in, record, redactor):
    """Switching redaction on makes no conflict of what is delivered again, and other content stays a conflict."""
    before, after = record(data={"text": NOTE}), record(id="2", data={"text": NOTE})
    other = record(id="2", data={"text": NOTE.replace("Ingrid", "Astrid")})
    assert take_in("-", text=_lines(before)).counts == IntakeCounts(1, 1, 0, 0)
    text = _lines(before, after, after, other)
    assert take_in("-", text=text, redactor=redactor).counts == IntakeCounts(4, 1, 2, 1)


def test_the_hash_in_the_ledger_cannot_be_tested_against_a_guess(take_in, book, record, redactor, mapper):
    """The content's hash is keyed: it is not that of the original, and another key gives another."""
    take_in("-", text=_lines(record(data={"text": NOTE})), redactor=redactor)
    with reading(book) as connection:
        kept = connection.exec_driver_sql("SELECT content_hash FROM events").scalar()
    from contracts.events import content_hash  # noqa: PLC0415

    seen = mapper.read(record(data={"text": NOTE}))
    plain = content_hash(seen.event, seen.stated)
    assert kept == redactor.content_hash(plain) != plain
    assert kept != Redactor(load_finder, Pseudonyms(b"other")).content_hash(plain)


SNIPPETS = (
    "Dear",
    "Dr.",
    "Ann",
    "J.",
    "Lee",
    "12",
    "High",
    "Street",
    "4111111111111111",
    "aged",
    "46",
    "+44",
)
MARKS = ("\n", ",", "[PERSON]", "[", "]", "SW1A 1AA", "Apt. 4", "www.falk.example.com", "192.168.0.1", "SSN")
words = st.sampled_from([*NOTE.split(), *SNIPPETS, *MARKS])
texts = st.lists(words | st.text(max_size=8), max_size=14).map(" ".join)


@given(text=texts)
def test_redacting_twice_changes_nothing(redactor, text):
    """A redacted text is its own redaction, whatever stood side by side."""
    once = redactor.text(text)
    assert redactor.text(once) == once


@given(
    data=st.recursive(
        texts | st.integers() | st.none(), lambda inner: st.dictionaries(texts, inner, max_size=3)
    )
)
def test_redacted_data_are_their_own_redaction_and_keep_their_shape(redactor, data):
    """At every depth, with field names; two fields never become one."""
    once = redactor.data(data)
    assert redactor.data(once) == once
    if isinstance(data, dict):
        assert len(once) == len(data)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("The invoice is wrong.", "The invoice is wrong."),
        ("Mail me at a.b@example.org, please", "Mail me at [EMAIL_ADDRESS], please"),
        ("IBAN GB33BUKB20201555555555.", "IBAN [IBAN_CODE]."),
        ("my SSN is 078-05-1127", "my SSN is [US_SSN]"),
        ("logged in from 203.0.113.77", "logged in from [IP_ADDRESS]"),
        ("She is 46 years old", "She is [AGE] years old"),
        ("card 4111 1111 1111 1112 was charged", "card [CREDIT_CARD] was charged"),
        ("I live at 12 Acacia Avenue, thanks", "I live at [STREET_ADDRESS], thanks"),
        ("Ask Dr. Okonjo about it", "Ask Dr. [PERSON] about it"),
        ("Released on 2024-11-05 as 3.14.15", "Released on 2024-11-05 as 3.14.15"),
        ("hi, my name is ingrid falk and i cannot sign in", "hi, my name is [PERSON] and i cannot sign in"),
        ("my name is not on the list", "my name is not on the list"),
        ("In May the Paris office said no", "In May the Paris office said no"),
    ],
)
def test_each_kind_is_found_and_what_only_looks_like_it_is_left(redactor, text, redacted):
    """One example of each rule, made up for it."""
    assert redactor.text(text) == redacted


def test_who_is_named_once_is_meant_again(redactor):
    """A name found in full takes its parts along."""
    assert redactor.text("Helen Marlowe rang. Then Marlowe paid.") == "[PERSON] rang. Then [PERSON] paid."


def test_a_mark_is_nothing_personal_and_what_stands_beside_it_is():
    """Of a finding that holds a mark the rest is left; of one that is a mark, nothing."""
    text = "Ann [PERSON] Lee"
    found = [Finding(0, len(text), "PERSON", 0.5), Finding(5, 11, "URL", 1.0)]
    assert [text[one.start : one.end].strip() for one in outside_marks(text, found)] == ["Ann", "Lee"]


def test_fields_that_become_the_same_are_numbered(redactor):
    """Two addresses as names of fields stay two fields."""
    data = {"a@example.org": 1, "b@example.org": 2}
    assert redactor.data(data) == {"[EMAIL_ADDRESS]": 1, "[EMAIL_ADDRESS] 2": 2}


def test_overlapping_findings_become_one_named_after_the_surest():
    """Nothing of either is left, and the surest, then the longest, says what it is."""
    found = [Finding(0, 5, "URL", 0.5), Finding(3, 9, "EMAIL_ADDRESS", 1.0), Finding(9, 12, "AGE", 0.6)]
    assert merged(found) == [Finding(0, 9, "EMAIL_ADDRESS", 1.0), Finding(9, 12, "AGE", 0.6)]


@given(text=st.text(st.sampled_from("ab1 \n@."), max_size=3 * WINDOW_CHARACTERS))
def test_windows_leave_nothing_out(text):
    """Every character of a long text is in a window, and each window begins before the last has ended."""
    found = list(windows(text))
    assert (found[0][0], found[-1][1]) == (0, len(text))
    assert all(later[0] < earlier[1] for earlier, later in pairwise(found))
    assert all(end - start <= WINDOW_CHARACTERS for start, end in found)


def test_what_is_far_into_a_long_text_is_found(redactor):
    """Also where windows meet, and in a text without a blank."""
    for filler in ("lorem ipsum ", "x"):
        text = (filler * 9_000)[: 3 * WINDOW_CHARACTERS]
        assert redactor.text(f"{text} write to a@example.org now {text}").count("[EMAIL_ADDRESS]") == 1


def test_nobody_is_asked():
    """Neither loading nor finding asks anybody, domains included: in a fresh process that dies of the attempt.

    Only urllib3 looks, when it is imported, whether the machine has IPv6: by binding a port of its own.
    """
    code = """
import os, sys
ALLOWED = {"socket.__new__", "socket.bind"}
sys.addaudithook(lambda event, _: os._exit(3) if event.startswith("socket.") and event not in ALLOWED else None)
from tasks.redaction.finder import load_finder
print(sorted({one.entity for one in load_finder()("a@b.co.uk and https://c.example.net/x, falk.example.com")}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "['EMAIL_ADDRESS', 'URL']"), done.stderr


def test_a_user_has_one_pseudonym_by_one_key():
    """The same for ever, its own pseudonym, and another by another key; the user is not in it."""
    one, other = Pseudonyms(KEY), Pseudonyms(b"another key")
    assert one.of(one.of("ingrid.falk")) == one.of("ingrid.falk") == Pseudonyms(KEY).of("ingrid.falk")
    assert one.of("ingrid.falk") != other.of("ingrid.falk")
    assert "ingrid" not in one.of("ingrid.falk")


def test_the_key_is_made_once_and_is_the_owners(tmp_path):
    """A second process finds the key of the first; only its owner can read it; an operator's own key comes first."""
    home = tmp_path / "home"
    key = load_key(home)
    assert load_key(home) == key
    assert (home / KEY_FILE).stat().st_mode & 0o777 == 0o600
    pseudonyms._make_key(home / KEY_FILE)  # as a process does that looked when there was none yet
    assert load_key(home) == key
    assert [path.name for path in home.iterdir()] == [KEY_FILE]
    own = Settings(home=home, redact=True, redact_key="ab" * 32)
    assert names_of("ann", own) == ("ann", Pseudonyms(bytes.fromhex("ab" * 32)).of("ann"))
    assert names_of("ann", Settings(home=home, redact=True)) == ("ann", Pseudonyms(key).of("ann"))


def test_a_model_adds_places(tmp_path, redactor):
    """A spaCy pipeline in a folder is used when it is named, and finds what patterns cannot."""
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "GPE", "pattern": "Ruritania"}, {"label": "PERSON", "pattern": "zuzu"}])
    pipeline.to_disk(tmp_path / "model")
    settings = Settings(home=tmp_path, redact=True, redact_model=str(tmp_path / "model"))
    text = "zuzu is in Ruritania"
    assert redactor_of(settings).text(text) == "[PERSON] is in [LOCATION]"
    assert redactor.text(text) == text


def test_what_is_no_model_is_refused_by_name(tmp_path):
    """A folder that only looks like a pipeline: one line says so, and doctor shows it."""
    (tmp_path / "meta.json").write_text("{}")
    with pytest.raises(OperatorError, match=r"PENSTOCK_REDACT_MODEL: .* is no pipeline"):
        redactor_of(Settings(home=tmp_path, redact=True, redact_model=str(tmp_path)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PENSTOCK_REDACT": "1", "PENSTOCK_REDACT_MODEL": "en_core_web_none"}, "no such spaCy model"),
        ({"PENSTOCK_REDACT": "1", "PENSTOCK_REDACT_MODEL": "orjson"}, "no such spaCy model"),
        ({"PENSTOCK_REDACT_MODEL": "en_core_web_none"}, "set PENSTOCK_REDACT=1"),
        ({"PENSTOCK_REDACT": "1", "PENSTOCK_REDACT_KEY": "secret"}, "PENSTOCK_REDACT_KEY: .*hexadecimal"),
    ],
)
def test_settings_that_cannot_hold_are_refused_by_name(monkeypatch, settings, words):
    """A model that is not there, a model without redaction, a key that is none."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=words):
        load_settings()


def test_without_the_library_nothing_starts(tmp_path):
    """Asked to redact where the extra is not installed, the command refuses and says what to install."""
    blocked = "import sys; sys.modules['presidio_analyzer'] = None; from gateway.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", blocked, "ingest", str(tmp_path)],
        env=os.environ | {"PENSTOCK_REDACT": "1", "PENSTOCK_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "penstock[redact]" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_library_is_not_loaded_unless_it_is_asked_for():
    """Intake without redaction pays nothing for it."""
    libraries = "{'presidio_analyzer', 'spacy', 'faker'}"
    code = f"import sys, gateway.cli.intake, flows.intake; print({libraries} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_command_line_redacts_when_it_is_told_to(tmp_path, record):
    """`PENSTOCK_REDACT=1 penstock ingest` is enough."""
    path = tmp_path / "in.ndjson"
    path.write_bytes(_lines(record(user="ingrid.falk", data={"text": NOTE})))
    home = tmp_path / "home"
    environment = os.environ | {"PENSTOCK_REDACT": "1", "PENSTOCK_HOME": str(home)}
    code = "from gateway.cli import main; main()"
    subprocess.run(
        [sys.executable, "-c", code, "ingest", str(path)], env=environment, check=True, capture_output=True
    )
    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"ngrid" not in written
    assert b"[EMAIL_ADDRESS]" in written


def test_a_long_hostile_line_is_read_in_time_that_grows_with_its_length(redactor):
    """Texts made to keep a pattern busy end like others; the test's own time limit is the judge."""
    for unit in ("a.", "A ", "1 ", "Apt. 1 ", "a@", "12 Aa ", "\n>", "J. "):
        assert redactor.text(unit * 1_000) is not None


def test_identity_is_untouched(redactor, mapper, record):
    """Tenant, source, id and type are the operator's own names and stay, even where they look personal."""
    event = mapper.event(record(id="ann@example.org", tenant="Ann Lee Ltd", source="203.0.113.77"))
    seen = redactor.event(event)
    assert (seen.id, seen.tenant, seen.source, seen.type) == (
        event.id,
        event.tenant,
        event.source,
        event.type,
    )
