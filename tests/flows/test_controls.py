"""What keeps paid calls in check, seen from the flows: pauses, breakers, budgets, replay."""

from datetime import timedelta

import orjson
import pytest

from contracts.batches import BatchState
from flows.dead_letters import export_dead_letters, purge_dead_letters, replay_dead_letters
from flows.lane import process_ready_batches
from flows.process_batch import process_batch
from flows.switches import VARIABLE
from ledger.breakers import BreakerState, read_breakers
from ledger.dead_letters import list_letters
from ledger.due import release_due
from ledger.pauses import Switch, pause, read_pauses, resume
from tests.flows.variables import looked, variable_named
from tests.worlds import on_both

TEXTS = ["The phones are dead in the whole building.", "Nobody can call us since Monday."]
INSIGHTS = (
    "SELECT CAST(content AS TEXT), CAST(judged_at AS TEXT) FROM items WHERE output_type = 'InsightReport'"
)
OUTAGE = {"match": {"schema": "InsightReport"}, "play": {"kind": "overloaded"}}


def lane():
    """The lane, as a state."""
    return process_ready_batches(return_state=True)


@pytest.fixture
def variable(prefect_slots):
    """The Variable of the switches, in the UI."""
    assert prefect_slots
    with variable_named(VARIABLE) as made:
        yield made


@on_both
def test_a_paused_stage_holds_its_batches_and_keeps_what_was_made(world, fill):
    """Everything before the stage is done and paid once; after the pause the batch goes on from there."""
    batch = fill.ready(world.ledger, TEXTS)
    pause(world.ledger, Switch("solutions"), "prompt under review", world.clock.now)
    assert world.run(lane).message == "1 HELD"
    held = world.batch(batch)
    assert (held.state, held.reason) == (BatchState.HELD, "solutions is paused: prompt under review")
    before = dict(world.offline.counts)
    assert before["InsightReport"] == before["RecommendationReport"] == 1
    assert release_due(world.ledger, world.clock.now) == 0
    resume(world.ledger, Switch("solutions"), world.clock.now)
    assert release_due(world.ledger, world.clock.now) == 1
    assert world.run(lane).message == "1 DONE"
    assert world.offline.counts["InsightReport"] == 1


def test_a_pause_of_one_tenant_leaves_the_others_alone(world, fill):
    """The other tenant's batch is DONE, not one request left for the first."""
    fill.ready(world.ledger, TEXTS, tenant="acme")
    fill.ready(world.ledger, TEXTS, tenant="bolt")
    pause(world.ledger, Switch("all", "acme"), "has not paid", world.clock.now)
    assert world.run(lane).message == "1 DONE, 1 HELD"
    assert world.rows("SELECT DISTINCT tenant FROM model_calls") == [("bolt",)]


@on_both
def test_a_switch_thrown_in_the_ui_is_in_force_after_the_next_look(world, variable):
    """The Variable is taken over and shown; an unknown stage in it pauses nothing, nor a tenant without a name."""
    world.run(looked)
    assert variable.read() == []
    variable.write(["solutions@acme", "sollutions", "insights@"])
    world.run(looked)
    assert [(str(one.switch), one.reason) for one in read_pauses(world.ledger)] == [
        ("solutions@acme", f"switched in {VARIABLE}")
    ]
    variable.write([])
    world.run(looked)
    assert read_pauses(world.ledger) == ()


def test_a_pause_from_the_command_line_is_shown_in_the_ui(world, variable):
    """And its end too; a Variable that is no list is put right and pauses nothing."""
    pause(world.ledger, Switch("all"), "stop", world.clock.now)
    world.run(looked)
    assert variable.read() == ["all"]
    resume(world.ledger, Switch("all"), world.clock.now)
    world.run(looked)
    assert variable.read() == []
    variable.write("everything, please")
    world.run(looked)
    assert variable.read() == []
    assert read_pauses(world.ledger) == ()


@on_both
def test_an_outage_opens_the_breaker_and_batches_go_on_by_themselves_after_it(make_world, fill):
    """Ten failures over all batches; then no request leaves, until the probe finds the model back."""
    world = make_world(retry_delays_s=(0.0, 0.0, 0.0), breaker_failures=10, retry_least=1_000)
    batches = [fill.ready(world.ledger, TEXTS, tenant=f"t-{number}") for number in range(6)]
    world.offline.play([OUTAGE])
    assert world.run(lane).message == "6 HELD"
    failed = world.offline.counts["InsightReport"]
    # Those already on the wire when the tenth failed may fail too.
    assert 10 <= failed <= 10 + len(batches)
    ((model, state),) = [(one.model, one.state) for one in read_breakers(world.ledger)]
    assert (model, state) == ("offline-extractive", BreakerState.OPEN)
    assert world.run(lane).message == "no batch was ready"
    world.offline.play([])
    world.clock.advance(seconds=world.settings.hold_s)
    for _ in range(2):
        release_due(world.ledger, world.clock.now)
        world.run(lane)
    assert {world.batch(one).state for one in batches} == {BatchState.DONE}


@on_both
def test_spent_retries_make_work_wait_and_not_fail(make_world, fill):
    """Retries of all batches together are bounded on the wire; every batch is HELD and done after the window."""
    # More attempts a call than the budget has retries: none can spend its own before the budget is.
    world = make_world(retry_delays_s=(0.0,) * 5, retry_least=4, retry_share=0.0, breaker_failures=1_000)
    batches = [fill.ready(world.ledger, TEXTS, tenant=f"t-{number}") for number in range(6)]
    world.offline.play([{"match": {"schema": "InsightReport"}, "play": {"kind": "rate_limit"}}])
    assert world.run(lane).message == "6 HELD"
    assert world.offline.counts["InsightReport"] == 6 + 4
    world.offline.play([])
    world.clock.advance(seconds=world.settings.retry_window_s)
    release_due(world.ledger, world.clock.now)
    world.run(lane)
    assert {world.batch(one).state for one in batches} == {BatchState.DONE}


@on_both
def test_a_message_that_fails_in_every_turn_is_a_dead_letter_in_the_end(make_world, fill):
    """Three turns of four attempts: HELD, HELD, DEAD after twelve requests, as the letter says."""
    world = make_world(retry_delays_s=(0.0,) * 3, breaker_failures=1_000, retry_least=1_000)
    batch = fill.ready(world.ledger, TEXTS)
    world.offline.play([OUTAGE])
    states = []
    for _ in range(3):
        world.run(lane)
        states.append(world.batch(batch).state)
        world.clock.advance(seconds=world.settings.hold_s)
        release_due(world.ledger, world.clock.now)
    assert states == [BatchState.HELD, BatchState.HELD, BatchState.DEAD]
    (letter,) = list_letters(world.ledger)
    assert letter.attempts == world.offline.counts["InsightReport"] == 12


@on_both
def test_a_replayed_batch_pays_only_for_what_it_had_not(world, fill):
    """Refused at the solutions, replayed by the flow's form: insights are not asked for again.

    What was finished stays byte for byte what it was and leaves so, though the model says something else by now.
    """
    batch = fill.ready(world.ledger, TEXTS)
    world.offline.play([{"match": {"schema": "ActionPlan"}, "play": {"kind": "refusal"}}])
    assert world.run(lane).message == "1 DEAD"
    finished = world.rows(INSIGHTS)
    dry = world.run(lambda: replay_dead_letters(return_state=True))
    assert (dry.name, dry.message) == ("Dry run", "1 dead letters would be replayed")
    slip = {"kind": "slip", "words": "Something else."}
    world.offline.play([{"match": {"schema": "InsightReport"}, "play": slip}])
    done = world.run(lambda: replay_dead_letters(dry_run=False, tenant="acme", return_state=True))
    assert done.message == "1 of 1 dead letters replayed"
    again = world.run(lambda: replay_dead_letters(dry_run=False, return_state=True))
    assert again.message == "0 of 0 dead letters replayed"
    assert world.run(lane).message == "1 DONE"
    assert world.batch(batch).state is BatchState.DONE
    assert world.offline.counts["InsightReport"] == 1
    assert world.rows(INSIGHTS) == finished
    ((content, *_),) = finished
    left = [orjson.loads(path.with_suffix(".json").read_bytes()) for path in world.deliverables()]
    assert orjson.loads(content) in [one["content"] for one in left]


def test_letters_are_exported_and_purged_by_forms(world, fill, tmp_path):
    """One JSON object a line; nothing is removed that was not confirmed."""
    fill.ready(world.ledger, TEXTS, pipeline="nowhere")
    world.run(lane)
    path = tmp_path / "letters.ndjson"
    written = world.run(lambda: export_dead_letters(path, return_state=True))
    assert written.message == f"1 dead letters written to {path}"
    assert len(path.read_text().splitlines()) == 1
    asked = world.run(lambda: purge_dead_letters(stage="validate context", return_state=True))
    assert (asked.name, len(list_letters(world.ledger))) == ("Not confirmed", 1)
    world.run(lambda: purge_dead_letters(older_than_hours=1, confirm=True, return_state=True))
    assert len(list_letters(world.ledger)) == 1
    world.clock.advance(seconds=timedelta(hours=2) / timedelta(seconds=1))
    world.run(lambda: purge_dead_letters(older_than_hours=1, confirm=True, return_state=True))
    assert list_letters(world.ledger) == ()


@on_both
def test_events_of_a_version_nobody_reads_end_as_a_dead_letter_and_stay(world, fill):
    """The batch is DEAD by name; the events are in the ledger as they were, and others go on."""
    unread = fill.ready(world.ledger, TEXTS, tenant="acme")
    with world.ledger.begin() as connection:
        connection.exec_driver_sql("UPDATE events SET schema_version = '9'")
    fill.ready(world.ledger, TEXTS, tenant="bolt")
    assert world.run(lane).message == "1 DONE"
    assert world.batch(unread).state is BatchState.DEAD
    assert "event of schema version '9': this Penstock reads 1" in world.batch(unread).reason
    (letter,) = list_letters(world.ledger)
    assert letter.batch == unread
    assert [event["data"] for event in letter.payload["events"]] == [{"text": text} for text in TEXTS]
    assert world.rows("SELECT count(*) FROM events WHERE schema_version = '9'") == [(2,)]


def test_a_flow_run_of_such_a_batch_fails_by_name_too(world, fill):
    """Started by itself, it ends as a failed run, and the batch as DEAD."""
    unread = fill.ready(world.ledger, TEXTS)
    with world.ledger.begin() as connection:
        connection.exec_driver_sql("UPDATE events SET schema_version = '9'")
    state = world.run(lambda: process_batch(unread, return_state=True))
    assert state.is_failed()
    assert "event of schema version '9'" in state.message
    assert world.batch(unread).state is BatchState.DEAD
