"""What stops a batch without ending it, and how it goes on: outage, throttle, crash, a lease that was lost."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta

import pytest
from pydantic import SecretStr

from contracts.batches import BatchState, Scope
from contracts.events import Priority
from flows.forming import form_batches
from flows.lane import AT_ONCE, process_ready_batches
from flows.leases import kept_lease
from flows.process_batch import process_batch
from ledger.batches import batch_diagnosis, batch_history
from ledger.dead_letters import list_letters
from ledger.deliveries import list_deliverables
from ledger.due import release_due
from ledger.errors import LeaseLostError, LedgerFaultError
from ledger.sql import writing
from ledger.work import calls_in_doubt, read_items
from tasks.model.caps import REQUESTS
from tasks.runtime import runtime
from tests.worlds import on_both, until

TEXTS = [
    "The phone rings out after five and nobody calls back, so we wait until Monday.",
    "I waited forty minutes on the phone on Tuesday before the call was dropped.",
]
JUDGE = {"schema": "JudgeReply"}


def lane():
    """The lane, ending as a state."""
    return process_ready_batches(return_state=True)


@on_both
def test_a_judge_outage_holds_the_batch_and_costs_no_generation(world, fill, api):
    """HELD until its time, and the next time twice as long; then by itself DONE, only the judge was asked again."""
    batch = fill.ready(world.ledger, TEXTS)
    world.offline.play([{"match": JUDGE, "play": {"kind": "malformed"}}])
    state = world.run(lane)
    held = world.batch(batch)
    assert held.state is BatchState.HELD
    assert "insights could not be judged" in held.reason
    assert held.resume_at == world.clock.now + timedelta(seconds=world.settings.hold_s)
    assert world.offline.counts == {"InsightReport": 1, "JudgeReply": 1}
    assert list_deliverables(world.ledger, batch) == ()
    shown = api.task_run(state.state_details.flow_run_id, held.label)
    assert (shown.state.name, shown.state.type.value) == ("Held", "COMPLETED")
    assert "judged anew by itself" in batch_diagnosis(world.ledger, batch)["suggestedFix"]
    assert "The judge could not be had" in api.artifact(f"diagnosis-{batch}")

    world.clock.advance(seconds=world.settings.hold_s)
    assert world.run(form_batches, lane).message == "1 HELD"
    assert world.batch(batch).resume_at == world.clock.now + timedelta(seconds=2 * world.settings.hold_s)

    world.offline.play([])
    world.clock.advance(seconds=2 * world.settings.hold_s - 1)
    assert world.run(form_batches).released == 0
    world.clock.advance(seconds=1)
    assert world.run(form_batches, lane).is_completed()
    held_again = [BatchState.HELD, BatchState.READY, BatchState.RUNNING]
    assert world.states(batch)[2:] == [*held_again, *held_again, BatchState.DONE]
    assert batch_diagnosis(world.ledger, batch) is None
    generated = {name: count for name, count in world.offline.counts.items() if name != "JudgeReply"}
    assert set(generated.values()) == {1, 2}  # a notice is drafted and edited, all else is made once
    assert world.offline.counts["JudgeReply"] == 2 + len(read_items(world.ledger, batch))


def test_a_judge_that_cannot_be_reached_holds_the_batch_no_longer_each_time(world, fill):
    """It costs nothing, and when it is back the work goes on as soon as before."""
    batch = fill.ready(world.ledger, TEXTS)
    world.offline.play([{"match": JUDGE, "play": {"kind": "error", "status": 500}}])
    for _ in range(3):
        assert world.run(form_batches, lane).message == "1 HELD"
        held = world.batch(batch)
        assert held.resume_at == world.clock.now + timedelta(seconds=world.settings.hold_s)
        world.clock.advance(seconds=world.settings.hold_s)


@on_both
def test_a_tenant_over_its_throttle_waits_and_goes_on_when_the_window_frees(make_world, fill, api):
    """Two batches, room for one solution: the second is PENDING until the first's hour has passed, then DONE."""
    world = make_world(solutions_per_window=1, solution_window_s=3_600)
    batches = [fill.ready(world.ledger, TEXTS) for _ in range(2)]
    other = fill.ready(world.ledger, TEXTS, tenant="other-co")
    state = world.run(lane)
    assert state.message == "2 DONE, 1 PENDING"
    assert world.batch(other).state is BatchState.DONE
    (waiting,) = [one for one in map(world.batch, batches) if one.state is BatchState.PENDING]
    assert waiting.resume_at == world.clock.now + timedelta(hours=1)
    assert "'acme' has used its solutions" in waiting.reason
    shown = api.task_run(state.state_details.flow_run_id, waiting.label)
    assert shown.state.name == "Pending throttle"
    plans = world.offline.counts["ActionPlan"]

    world.clock.advance(minutes=59)
    assert world.run(form_batches).released == 0
    world.clock.advance(minutes=1)
    assert world.run(form_batches, lane).message == "1 DONE"
    assert world.states(waiting.id)[-4:] == [
        BatchState.PENDING,
        BatchState.READY,
        BatchState.RUNNING,
        BatchState.DONE,
    ]
    assert world.offline.counts["ActionPlan"] == plans + 1


@pytest.fixture
def set_limit(world):
    """Sets the limit on model requests, or removes it, for the time of the test."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    async def set_to(slots):
        async with get_client() as client:
            if slots is None:
                await client.delete_global_concurrency_limit_by_name(REQUESTS)
            else:
                await client.upsert_global_concurrency_limit_by_name(REQUESTS, slots)

    yield lambda slots: world.run(lambda: set_to(slots))
    world.run(lambda: set_to(world.settings.model_requests_in_flight))


@pytest.mark.parametrize(
    ("slots", "says"), [(None, f"Prefect has no limit {REQUESTS}"), (0, f"{REQUESTS} is set to 0")]
)
def test_a_limit_that_is_missing_or_nothing_stops_paid_calls_and_holds_the_batch(
    world, fill, set_limit, slots, says
):
    """Taken away in the UI it frees nobody: no request leaves, and the work goes on once it is back."""
    batch = fill.ready(world.ledger, TEXTS)
    set_limit(slots)
    assert world.run(lane).message == "1 HELD"
    assert world.offline.requests == []
    assert says in world.batch(batch).reason
    set_limit(world.settings.model_requests_in_flight)
    world.clock.advance(minutes=1)
    assert world.run(form_batches, lane).message == "1 DONE"


def test_a_limit_below_what_a_process_would_take_is_kept(world, fill, set_limit):
    """An operator's two slots: all batches get through, and the model never sees three requests at once."""
    for number in range(4):
        fill.ready(world.ledger, TEXTS, tenant=f"t-{number}")
    set_limit(2)
    assert world.run(lane).message == "4 DONE"
    assert world.offline.stats["max_in_flight"] <= 2


def test_an_operators_limit_is_kept(world, prefect_slots):
    """What somebody set in the Prefect UI is not set back at the next start."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    from deployments.installed import ensure_installed  # noqa: PLC0415

    async def set_and_ensure():
        async with get_client() as client:
            await client.upsert_global_concurrency_limit_by_name(REQUESTS, 3)
            await ensure_installed(world.settings)
            kept = await client.read_global_concurrency_limit_by_name(REQUESTS)
            await client.upsert_global_concurrency_limit_by_name(REQUESTS, prefect_slots)
            return kept.limit

    assert world.run(set_and_ensure) == 3


def stopped_when(world, has_come):
    """A lane that is stopped at the moment when `has_come()`."""

    async def stopped():
        running = asyncio.create_task(lane())
        await until(has_come)
        running.cancel()
        await asyncio.wait([running])

    world.run(stopped)


def stopped_while_judging(world):
    """A lane that is stopped when the judge has been asked and has not answered."""
    world.offline.play([{"match": JUDGE, "play": {"kind": "hang", "seconds": 600}, "times": 1}])
    stopped_when(world, lambda: "JudgeReply" in world.offline.counts)


@pytest.mark.parametrize("claimed", [1, AT_ONCE + 1, 2 * AT_ONCE + 1])
@on_both
def test_a_lane_that_is_stopped_as_it_begins_gives_every_batch_back(world, fill, claimed):
    """Claimed and not begun, half begun or in work: none is left RUNNING for its lease to run out."""
    ready = range(2 * AT_ONCE + 1)
    batches = [fill.ready(world.ledger, TEXTS, tenant=f"t-{number}") for number in ready]
    count = "SELECT count(*) FROM batch_history WHERE to_state = 'RUNNING'"
    stopped_when(world, lambda: world.rows(count)[0][0] >= claimed)
    assert {world.batch(batch).state for batch in batches} <= {BatchState.READY, BatchState.DONE}


def test_a_lane_that_is_stopped_while_it_explains_a_failure_gives_the_batch_back(world, fill):
    """The next lane finds the failure again and explains it then."""
    batch = fill.ready(world.ledger, TEXTS)
    world.offline.play(
        [
            {"match": {"schema": "InsightReport"}, "play": {"kind": "refusal"}},
            {"match": {"schema": "Diagnosis"}, "play": {"kind": "hang", "seconds": 600}, "times": 1},
        ]
    )
    stopped_when(world, lambda: "Diagnosis" in world.offline.counts)
    assert world.states(batch)[-1] is BatchState.READY
    assert world.run(lane).message == "1 DEAD"


@on_both
def test_a_run_that_was_stopped_between_draft_and_verdict_generates_nothing_again(world, fill):
    """Given back at once; the next lane finds the draft, asks the judge anew, and goes on from there."""
    batch = fill.ready(world.ledger, TEXTS)
    stopped_while_judging(world)
    assert world.states(batch) == [BatchState.READY, BatchState.RUNNING, BatchState.READY]
    assert len(calls_in_doubt(world.ledger)) == 1
    assert world.run(lane).message == "1 DONE"
    assert world.offline.counts["InsightReport"] == 1
    assert world.offline.counts["JudgeReply"] == 1 + len(read_items(world.ledger, batch))


@on_both
def test_a_dead_workers_batch_is_taken_up_when_its_lease_runs_out(world, fill):
    """Killed without a word: nobody touches the batch before its time, then anybody does."""
    dead = fill.claimed(world.ledger, TEXTS)
    assert world.run(form_batches, lane).message == "no batch was ready"
    world.clock.advance(minutes=10)
    assert world.run(form_batches).released == 1
    assert world.run(lane).message == "1 DONE"
    assert "the lease of first ran out" in [
        move.reason for move in batch_history(world.ledger, dead.batch.id)
    ]


class PausingClock:
    """A clock whose worker can be stopped at its next look, as by a suspended machine, and let go again."""

    def __init__(self, clock):
        self.clock = clock
        self.is_due = False
        self.paused, self.go_on = threading.Event(), threading.Event()

    def __call__(self):
        """The time, perhaps after a long pause."""
        if self.is_due and not self.paused.is_set():
            self.paused.set()
            self.go_on.wait(120)
        return self.clock()


def test_a_lost_lease_leaves_the_second_workers_result_alone(
    make_world, prefect_slots, ledger_url, ledger, fill, clock
):
    """Paused beyond its lease, a worker wakes, finds its batch done by another, and writes and delivers nothing."""
    world, sleepy = (make_world(ledger_url, model_requests_in_flight=prefect_slots // 2) for _ in range(2))
    sleepy.clock = PausingClock(clock)
    batch = fill.ready(ledger, TEXTS)

    def sleeping_run():
        async def watched():
            running = asyncio.create_task(process_batch(batch, return_state=True))
            await until(lambda: "JudgeReply" in sleepy.offline.counts)
            sleepy.clock.is_due = True
            return await running

        return sleepy.run(watched)

    with ThreadPoolExecutor(1) as pool:
        sleeping = pool.submit(copy_context().run, sleeping_run)  # Prefect's settings are in the context
        assert sleepy.clock.paused.wait(60)
        clock.advance(minutes=10)
        assert release_due(ledger, clock.now) == 1
        assert world.run(lambda: process_batch(batch, return_state=True)).is_completed()
        done = (world.batch(batch), list_deliverables(ledger, batch), read_items(ledger, batch))
        files = {path: path.stat().st_mtime_ns for path in world.deliverables()}
        sleepy.clock.go_on.set()
        ended = sleeping.result()
    assert (world.batch(batch), list_deliverables(ledger, batch), read_items(ledger, batch)) == done
    assert {path: path.stat().st_mtime_ns for path in world.deliverables()} == files
    assert done[0].state is BatchState.DONE
    assert ended.is_completed()
    assert "no longer holds the batch" in ended.message
    assert world.states(batch)[-1] is BatchState.DONE
    assert list_letters(ledger) == ()
    assert "Diagnosis" not in sleepy.offline.counts


def test_a_lease_is_renewed_for_as_long_as_the_work_takes(make_world, fill):
    """While the block runs the lease moves on with the clock, so that no other worker takes the batch."""
    world = make_world()
    work = fill.claimed(world.ledger, TEXTS)
    often = world.settings.model_copy(update={"lease_s": 0.03})

    def leased_until():
        return world.rows("SELECT lease_until FROM batches")[0][0]

    async def held():
        async with runtime(often, clock=world.clock), kept_lease(work):
            before = leased_until()
            world.clock.advance(hours=1)
            await until(lambda: leased_until() != before)

    asyncio.run(held())
    assert release_due(world.ledger, world.clock.now) == 0
    assert release_due(world.ledger, world.clock.now + timedelta(seconds=0.03)) == 1


@on_both
def test_a_worker_that_has_lost_its_lease_stops_its_work(make_world, fill):
    """At its next renewal it finds another in its place, and the block ends there instead of paying for nothing."""
    world = make_world()
    work = fill.claimed(world.ledger, TEXTS)
    often = world.settings.model_copy(update={"lease_s": 0.03})

    async def working():
        async with runtime(often, clock=world.clock), kept_lease(work):
            world.clock.advance(minutes=10)
            assert release_due(world.ledger, world.clock.now) == 1
            await asyncio.Event().wait()

    with pytest.raises(LeaseLostError, match="held by another worker"):
        asyncio.run(working())


def test_a_lease_that_is_lost_as_its_block_ends_breaks_off_nothing_that_comes_after(make_world, fill):
    """The block's own end counts: what its task does next, such as settling the batch, is not cancelled."""
    world = make_world()
    work = fill.claimed(world.ledger, TEXTS)
    often = world.settings.model_copy(update={"lease_s": 0.03})

    async def block():
        before = asyncio.all_tasks()
        async with kept_lease(work):
            (renewing,) = asyncio.all_tasks() - before
            world.clock.advance(minutes=10)
            release_due(world.ledger, world.clock.now)
            while not renewing.done():  # noqa: ASYNC110 - the very moment is what counts
                await asyncio.sleep(0)
            raise KeyError("ours")

    async def working():
        async with runtime(often, clock=world.clock):
            with pytest.raises(KeyError, match="ours"):
                await block()
            await asyncio.sleep(0)
            return "gone on"

    assert asyncio.run(working()) == "gone on"


def test_a_lease_outlives_a_ledger_that_fails_for_a_moment(make_world, fill):
    """A renewal that the database refuses is asked again; one that it refuses until the lease is over ends the work."""
    world = make_world()
    work = fill.claimed(world.ledger, TEXTS)
    impatient = f"{world.settings.ledger_url}?timeout=0.01"
    often = world.settings.model_copy(update={"lease_s": 0.03, "database_url": SecretStr(impatient)})

    async def working():
        async with runtime(often, clock=world.clock), kept_lease(work):
            with writing(world.ledger):
                await asyncio.sleep(0.1)  # several renewals fail, in no time by the clock they go by
                world.clock.advance(hours=1)
                await asyncio.Event().wait()

    with pytest.raises(LedgerFaultError, match="locked"):
        asyncio.run(working())


def test_what_comes_while_a_lane_is_at_work_does_not_wait_for_its_end(make_world, fill):
    """Events that fill a pool meanwhile are batched and processed by the same lane, and what has become due too."""
    world = make_world()
    fill.ready(world.ledger, TEXTS)
    dead = fill.claimed(world.ledger, TEXTS, tenant="other-co")

    async def meanwhile():
        running = asyncio.create_task(process_ready_batches(return_state=True))
        await until(lambda: world.offline.counts)
        threshold = world.settings.batching.of(Scope.TENANT).at(Priority.HIGH).threshold
        texts = [f"{TEXTS[0]} Ticket {number}." for number in range(threshold)]
        fill.take_in(world.ledger, fill.events(texts, tenant="urgent-co"))
        world.clock.advance(minutes=10)
        return await running

    assert world.run(meanwhile).is_completed()
    assert world.batch(dead.batch.id).state is BatchState.DONE
    urgent = world.rows("SELECT count(*) FROM batches WHERE tenant = 'urgent-co' AND state = 'DONE'")
    assert urgent == [(1,)]


def test_a_flow_run_of_its_own_processes_one_batch_once(world, fill, api):
    """By the batch's id: done the first time, nothing to do the second, nor for a batch that is not there."""
    batch = fill.ready(world.ledger, TEXTS)
    first = world.run(lambda: process_batch(batch, return_state=True))
    assert (first.is_completed(), first.name) == (True, "Completed")
    assert api.flow_run(first.state_details.flow_run_id).name == world.batch(batch).label
    asked = len(world.offline.requests)
    for unready in (batch, "b-nobody"):
        again = world.run(lambda one=unready: process_batch(one, return_state=True))
        assert (again.name, again.message) == ("Nothing to do", f"{unready} is not READY")
    assert len(world.offline.requests) == asked


def test_a_dead_letter_counts_the_requests_that_were_made(make_world, fill):
    """A model that is overloaded at every attempt: the letter says how many there were, as the wire saw them."""
    world = make_world(retry_delays_s=(0.0, 0.0, 0.0), message_attempts=4)
    fill.ready(world.ledger, TEXTS)
    world.offline.play([{"match": {"schema": "InsightReport"}, "play": {"kind": "overloaded"}}])
    assert world.run(lane).message == "1 DEAD"
    (letter,) = list_letters(world.ledger)
    assert letter.attempts == 4 == world.offline.counts["InsightReport"]


def test_a_batch_of_an_unknown_pipeline_is_dead_by_name(world, fill):
    """An error nobody planned for ends in a state, a letter and a diagnosis, not in a crash of the lane."""
    batch = fill.ready(world.ledger, TEXTS, pipeline="nowhere")
    assert world.run(lane).message == "1 DEAD"
    assert "no pipeline is called 'nowhere'" in world.batch(batch).reason
    (letter,) = list_letters(world.ledger)
    assert (letter.error, letter.prompt) == ("UnknownPipelineError", None)


@pytest.mark.parametrize("play", ["malformed", "nonsense", "refusal"])
def test_a_diagnosis_that_fails_falls_back_and_keeps_its_cost(world, fill, play):
    """A broken explainer changes nothing for the batch: rules or the trace explain, its call is settled."""
    batch = fill.ready(world.ledger, TEXTS, pipeline="nowhere")
    world.offline.play([{"match": {"schema": "Diagnosis"}, "play": {"kind": play}}])
    assert world.run(lane).message == "1 DEAD"
    (letter,) = list_letters(world.ledger)
    assert letter.batch == batch
    assert letter.diagnosis["source"] in {"rules", "trace"}
    assert calls_in_doubt(world.ledger) == ()
    assert world.rows("SELECT purpose, state FROM model_calls") == [("diagnose", "FAILED")]
