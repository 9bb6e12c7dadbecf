"""One lane run over five batches that end in every way at once, and what is to be seen of it afterwards."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from contracts.batches import BatchState
from contracts.deliverables import Deliverable
from contracts.events import Kind
from flows.artifacts import provenance
from flows.forming import form_batches
from flows.lane import process_ready_batches
from ledger.batch_reads import Origin
from ledger.batches import batch_diagnosis, batch_event_ids, batch_history
from ledger.dead_letters import list_letters
from ledger.deliveries import list_deliverables
from ledger.outbox import has_messages
from ledger.status import gate_failures, status
from ledger.work import calls_in_doubt, read_items, read_stages
from tests.flows.texts import GOOD, RUDE

SECRET = "sk-ant-api03-abcdefgh12345678"  # noqa: S105 - a made-up key, to be found nowhere
LETTERS = [
    "Complaint about delivery\nThe parcel of 3 May was wet and the driver left it in the rain.",
    "Invoice 77\nPlease pay 300 EUR until 1 June, to the account that you know.",
]


@dataclass
class Lane:
    """The world after the lane, its batches by what became of them, and the flow run's end."""

    world: Any
    good: str
    rude: str
    empty: str
    refused: str
    letters: str
    state: Any

    @property
    def run_id(self):
        """The flow run."""
        return self.state.state_details.flow_run_id


@pytest.fixture(scope="module")
def lane(prefect_slots, sqlite_template, tmp_path_factory, fill, world_of, clock_of) -> Iterator[Lane]:
    """A lane with room for three batches at a time, over five of them."""
    home = tmp_path_factory.mktemp("lane")
    shutil.copy(sqlite_template, home / "ledger.db")
    forms, audiences = ("document", "action_plan", "structured_report"), ("admin", "team_lead", "end_user")
    chosen = {"model_requests_in_flight": prefect_slots, "solution_forms": forms, "audiences": audiences}
    url = f"sqlite:///{home / 'ledger.db'}"
    with world_of(home, url, clock_of(), batches_in_flight=3, **chosen) as world:
        ledger = world.ledger
        refusal = {
            "match": {"schema": "InsightReport", "contains": "refused-co"},
            "play": {"kind": "refusal"},
        }
        world.offline.play([refusal])
        batches = {
            "good": fill.ready(ledger, GOOD, tenant="good-co"),
            "rude": fill.ready(ledger, RUDE, tenant="rude-co"),
            "empty": fill.ready(ledger, ["", "!!"], tenant="empty-co"),
            "refused": fill.ready(
                ledger, [f"Nothing works with my key {SECRET} at all."], tenant="refused-co"
            ),
            "letters": fill.ready(
                ledger, LETTERS, tenant="letters-co", user="u-1", pipeline="documents", type=Kind.DOCUMENT
            ),
        }
        state = world.run(lambda: process_ready_batches(return_state=True))
        yield Lane(world, **batches, state=state)


def test_the_lane_ends_well_and_says_how_its_batches_ended(lane):
    """Failed batches are no failure of the lane."""
    assert lane.state.is_completed()
    assert lane.state.message == "1 DEAD, 2 DONE, 2 FAILED"


def test_a_batch_goes_from_ready_to_done(lane):
    """Its states are claimed, done; its stages are the pipeline's, each ended; nothing is in doubt."""
    assert lane.world.states(lane.good) == [BatchState.READY, BatchState.RUNNING, BatchState.DONE]
    stages = read_stages(lane.world.ledger, lane.good)
    names = {"insights", "recommendations", "solutions", "notices", "editorial"}
    assert {stage.stage for stage in stages} == names
    assert {stage.state for stage in stages} == {"DONE"}
    assert calls_in_doubt(lane.world.ledger) == ()


def test_what_a_batch_makes_is_published_as_files(lane):
    """Eight deliverables, none of them a draft: each file is what the ledger holds, and the outbox is empty."""
    made = list_deliverables(lane.world.ledger, lane.good)
    assert Counter(str(one.kind) for one in made) == {
        "insight": 1,
        "recommendation": 1,
        "solution": 3,
        "notice": 3,
    }
    files = (lane.world.settings.deliverables / "good-co" / lane.good).glob("*.json")
    published = [Deliverable.model_validate_json(path.read_bytes()) for path in files]
    assert sorted(published, key=lambda one: one.id) == sorted(made, key=lambda one: one.id)
    assert not has_messages(lane.world.ledger, lane.world.clock.now)


def test_every_deliverable_passed_the_gate_and_tells_where_it_comes_from(lane):
    """All five scores at or above 0.7, and its events, prompt, rubric, models by name and version."""
    for one in list_deliverables(lane.world.ledger, None):
        assert len(one.scores) == 5
        assert min(one.scores.values()) >= 0.7
        assert one.provenance.model == one.provenance.judge_model == "offline-extractive"
        assert len(one.provenance.events) == (1 if one.batch == lane.letters else 2)
        assert all((one.provenance.prompt, one.provenance.prompt_version, one.provenance.rubric_version))


def test_drafts_are_judged_like_everything_else(lane):
    """Eleven items of the insights pipeline, each with a verdict, three of them drafts that never leave."""
    items = read_items(lane.world.ledger, lane.good)
    assert {item.verdict for item in items} == {"passed"}
    assert Counter(item.stage for item in items)["notices"] == 3
    assert len(items) == len(list_deliverables(lane.world.ledger, lane.good)) + 3 == 11


def test_documents_are_summarised_classified_and_stored(lane):
    """The second pipeline, end to end: two documents, two deliverables of each kind, each from its own document."""
    assert lane.world.states(lane.letters)[-1] is BatchState.DONE
    made = list_deliverables(lane.world.ledger, lane.letters)
    assert Counter(str(one.kind) for one in made) == {"summary": 2, "classification": 2}
    assert {one.user for one in made} == {"u-1"}
    assert set(Counter(one.provenance.events for one in made).values()) == {2}
    folder = lane.world.settings.deliverables / "letters-co" / lane.letters
    assert len(list(folder.glob("*.md"))) == 4


def test_a_closed_gate_fails_its_batch_with_a_diagnosis(lane):
    """FAILED, with the findings as its reason and a diagnosis on the batch; nothing leaves, nothing is repeated."""
    batch = lane.world.batch(lane.rude)
    assert batch.state is BatchState.FAILED
    assert "did not pass the gate" in batch.reason
    diagnosis = batch_diagnosis(lane.world.ledger, lane.rude)
    assert {"summary", "rootCause", "suggestedFix", "claudePrompt"} <= set(diagnosis)
    assert list_deliverables(lane.world.ledger, lane.rude) == ()
    failures = [row for row in gate_failures(lane.world.ledger) if row["batch"] == lane.rude]
    assert failures
    assert all(row["score"] < row["threshold"] and row["reason"] for row in failures)
    asked = lane.world.rows(
        f"SELECT purpose, count(*) FROM model_calls WHERE batch_id = '{lane.rude}' GROUP BY 1"
    )
    assert dict(asked) == {"generate": 1, "judge": 1, "diagnose": 1}


def test_a_batch_that_says_nothing_fails_without_a_call(lane):
    """Not one request leaves for it, not even to find out why: a rule says that."""
    batch = lane.world.batch(lane.empty)
    assert (batch.state, batch.reason.split(";")[1]) == (BatchState.FAILED, " nothing was generated")
    assert lane.world.rows(f"SELECT id FROM model_calls WHERE batch_id = '{lane.empty}'") == []
    assert batch_diagnosis(lane.world.ledger, lane.empty)["source"] == "rules"


def test_a_lost_generation_is_dead_with_its_letter(lane):
    """DEAD, and a letter with stage, error, cost, prompt, traceback, diagnosis and the events to try again with."""
    assert lane.world.batch(lane.refused).state is BatchState.DEAD
    (letter,) = list_letters(lane.world.ledger)
    assert (letter.batch, letter.tenant, letter.stage) == (lane.refused, "refused-co", "insights")
    assert letter.error == "ModelRefused"
    assert "the model refused to answer" in letter.message
    assert "GenerationError" in letter.traceback
    assert "<events>" in letter.prompt
    assert letter.diagnosis["summary"]
    (event,) = letter.payload["events"]
    assert event["data"] == {"text": "Nothing works with my key [redacted] at all."}
    assert (letter.verdicts, letter.replayed_at) == ({}, None)
    assert letter.started_at == lane.world.batch(lane.refused).created_at
    booked = lane.world.rows(f"SELECT sum(cost_usd) FROM model_calls WHERE batch_id = '{lane.refused}'")
    assert letter.cost_usd == Decimal(booked[0][0])


def test_no_secret_is_kept_with_a_failure(lane):
    """A key that stood in an event is taken out of the letter, the reason and the diagnosis."""
    (letter,) = list_letters(lane.world.ledger)
    kept = [
        str(letter),
        str(lane.world.batch(lane.refused)),
        str(batch_diagnosis(lane.world.ledger, lane.refused)),
    ]
    assert not any(SECRET in text for text in kept)
    assert "[redacted]" in letter.prompt


def test_a_lane_never_holds_more_batches_than_it_may(lane):
    """Room for three: reading all histories in order, never more than three were running."""
    moves = lane.world.rows("SELECT from_state, to_state FROM batch_history ORDER BY id")
    running, most = 0, 0
    for came_from, to in moves:
        running += (to == "RUNNING") - (came_from == "RUNNING")
        most = max(most, running)
    assert (running, most) == (0, 3)


def test_requests_in_flight_stay_within_the_limit(lane):
    """The bound is the model client's, whatever the fan-out of the stages."""
    assert lane.world.offline.stats["max_in_flight"] <= lane.world.settings.model_requests_in_flight


def test_the_books_equal_the_providers_count(lane):
    """Calls and tokens in the ledger are those the provider counted, failed ones among them."""
    counted = lane.world.offline.stats
    booked = lane.world.rows("SELECT count(*), sum(input_tokens), sum(output_tokens) FROM model_calls")
    assert booked == [(counted["messages"], counted["input_tokens"], counted["output_tokens"])]
    assert status(lane.world.ledger)["calls"] == counted["messages"]


def test_runs_are_named_for_people(lane, api):
    """Batches by tenant, level and id, items by what they are; failed ones are failed, with the reason."""
    # 5 batches, 5 validations, 11 + 4 items of those that are done, 1 of each that failed at its first
    runs = api.task_runs(lane.run_id, 5 + 5 + 15 + 2)
    names = Counter(run.name for run in runs)
    batches = [lane.good, lane.rude, lane.empty, lane.refused, lane.letters]
    labels = [lane.world.batch(one).label for one in batches]
    assert labels[0] == f"good-co / HIGH / {lane.good[:10]}"
    assert labels[4] == f"letters-co / one user / HIGH / {lane.letters[:10]}"
    assert {name: names[name] for name in labels} == dict.fromkeys(labels, 1)
    assert names["validate context"] == 5
    assert (names["solution: action plan"], names["notice: team lead"], names["summary: summary"]) == (
        1,
        2,
        2,
    )
    assert names["insight: report"] == 3
    ends = {run.name: run.state for run in runs if run.name in labels}
    assert [ends[label].type.value for label in labels] == [
        "COMPLETED",
        "FAILED",
        "FAILED",
        "FAILED",
        "COMPLETED",
    ]
    assert "did not pass the gate" in ends[labels[1]].message
    assert "nothing was generated" in ends[labels[2]].message
    assert "refused to answer" in ends[labels[3]].message
    assert ends[labels[0]].message == "8 deliverables from 2 events"
    closed = [run.state.message for run in runs if run.name == "insight: report" and run.state.is_failed()]
    assert sorted("pass the gate" in message for message in closed) == [False, True]


def test_batches_are_tagged_for_the_filters_of_the_ui(lane, api):
    """Level, scope and pipeline on the batch's run."""
    label = lane.world.batch(lane.letters).label
    run = api.task_run(lane.run_id, label)
    assert set(run.tags) >= {"level:HIGH", "scope:user", "pipeline:documents"}


def test_verdicts_are_a_table_in_the_ui(lane, api):
    """A row an item with its verdict and five scores; for a batch that failed too, none for one that made none."""
    passed = api.artifact(f"verdicts-{lane.good}")
    assert len(passed) == 11
    assert {row["verdict"] for row in passed} == {"passed"}
    assert {len(row) for row in passed} == {2 + 5}
    (failed,) = api.artifact(f"verdicts-{lane.rude}")
    assert (failed["item"], failed["verdict"]) == ("insights", "failed")


def test_deliverables_and_diagnoses_are_markdown_in_the_ui(lane, api):
    """What people get stands under the batch as they get it; of a failed batch, why it failed."""
    shown = api.artifact(f"deliverables-{lane.good}")
    assert all(one.markdown in shown for one in list_deliverables(lane.world.ledger, lane.good))
    why = api.artifact(f"diagnosis-{lane.rude}")
    assert why.startswith(f"# {lane.world.batch(lane.rude).label}\n")
    assert batch_diagnosis(lane.world.ledger, lane.rude)["summary"] in why


def test_what_is_shown_of_a_batch_leads_to_its_verdicts_and_its_events(lane, api):
    """From the deliverables, and from the diagnosis where there are none; every event by its id."""
    for kind, batch in (("deliverables", lane.good), ("diagnosis", lane.rude)):
        shown = api.artifact(f"{kind}-{batch}")
        assert f"](/artifacts/key/verdicts-{batch})" in shown
        assert all(f"| `{event}` |" in shown for event in batch_event_ids(lane.world.ledger, batch))


def test_a_senders_id_breaks_no_table_and_carries_no_markup():
    """Bars, backticks and line ends are blanks there; batches that share an event are linked."""
    origin = Origin(
        "a|b`c\n", "[x](y)", "feedback.submitted", datetime(2026, 1, 2, 3, 4, tzinfo=UTC), ("b-2",)
    )
    row = provenance("b-1", [origin]).splitlines()[-1]
    link = "[deliverables-b-2](/artifacts/key/deliverables-b-2)"
    assert row == f"| `a b c ` | `[x](y)` | feedback.submitted | 2026-01-02 03:04 | {link} |"


def test_progress_ends_at_all_of_them(lane, api):
    """The lane's bar is full when the lane has ended."""
    assert api.artifact("lane-progress", lane.run_id) == 100.0


def test_every_move_of_a_batch_says_why(lane):
    """The history of a batch can be read by a person: each move has its reason and time."""
    for batch in (lane.good, lane.rude, lane.empty, lane.refused, lane.letters):
        moves = batch_history(lane.world.ledger, batch)
        assert len(moves) == 3
        assert all(move.reason and move.at == lane.world.clock.now for move in moves)


def test_a_second_run_does_nothing(lane):
    """All of it again: no batch, no call, no file that was not there."""
    world = lane.world
    before = (status(world.ledger), world.offline.stats, world.deliverables())
    formed = world.run(lambda: form_batches(flush=False))
    state = world.run(lambda: process_ready_batches(return_state=True))
    assert (formed.promoted, formed.created, formed.released) == (0, 0, 0)
    assert state.message == "no batch was ready"
    assert (status(world.ledger), world.offline.stats, world.deliverables()) == before
