"""Rounds of work: from files to deliverables and the lake, when to look again, and bursts that raise their events."""

import asyncio
import json
from collections import Counter
from datetime import timedelta

import pytest
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort

import flywheel
from contracts.batches import BatchState, Scope
from contracts.deliverables import Deliverable, DeliverableKind, Provenance
from contracts.events import Priority
from flows.forming import Watch, form_batches, is_due
from flows.intake import ingest_files
from flows.lake import refresh_lake
from flows.lane import process_ready_batches
from flows.names import TAG
from flows.rounds import work
from ledger.batches import create_batches, list_batches
from ledger.deliveries import commit_batch
from ledger.due import count_ready
from ledger.engine import close_ledger, open_ledger
from ledger.outbox import has_messages
from ledger.pending import pending_events
from ledger.status import collecting, status
from ledger.transitions import Settlement, settle_batch
from tasks.batching import plan_batches
from tasks.runtime import runtime
from tasks.settings import Settings

TEXTS = [
    "The phone rings out after five and nobody calls back, so we wait until Monday.",
    "I waited forty minutes on the phone on Tuesday before the call was dropped.",
]


def records(count, **fields):
    """Lines as a source sends them."""
    for number in range(count):
        record = {"id": f"r-{number}", "source": "shop", "type": "feedback.submitted", "tenant": "acme"}
        record |= {"time": "2026-11-19T08:00:00Z", "user": "u-1", "priority": "HIGH"}
        yield json.dumps(record | {"data": {"text": f"{TEXTS[number % 2]} Order {number}."}} | fields)


def test_files_become_deliverables_and_a_lake_in_rounds_until_idle(world, tmp_path):
    """Four events of one user, taken in and worked on until nothing is ready: a batch of each scope, both DONE."""
    source = tmp_path / "events.ndjson"
    source.write_text("\n".join([*records(4), "not an event", *records(1)]))
    counts = world.run(lambda: ingest_files([str(source)]))
    assert counts == {"read": 6, "accepted": 4, "duplicates": 1, "rejected": 1}
    world.run(lambda: work(until_idle=True, flush=True))
    made = list_batches(world.ledger, 100)
    assert Counter((one.scope, one.level) for one in made) == {(scope, Priority.HIGH): 1 for scope in Scope}
    assert {one.state for one in made} == {BatchState.DONE}
    assert collecting(world.ledger) == 0
    assert len(world.deliverables()) == status(world.ledger)["deliverables"]["total"] > 0
    with flywheel.connect(world.settings.lake) as lake:
        (batches,) = lake.execute("SELECT count(*) FROM raw_batches WHERE state = 'DONE'").fetchone()
    assert batches == 2
    assert (world.settings.home / "flywheel.duckdb").is_file()


def test_the_runs_of_a_command_are_tagged_and_their_task_runs_are_not(world, fill, api):
    """As those of deployments are: retention and the watch over vanished runs go by it. A tag costs each task run."""
    made = fill.ready(world.ledger, TEXTS, tenant="tagged-co")
    world.run(lambda: work(until_idle=True))
    lane = FlowFilter(name=FlowFilterName(any_=[process_ready_batches.name]))
    # Schedules of deployments on the same server have runs in days to come.
    ended = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.COMPLETED]))
    ours = FlowRunFilter(tags=FlowRunFilterTags(all_=[TAG]), state=ended)

    async def runs(client):
        newest = FlowRunSort.END_TIME_DESC
        return await client.read_flow_runs(flow_filter=lane, flow_run_filter=ours, sort=newest, limit=1)

    (run,) = api.until(runs, bool)
    batch = api.task_run(run.id, f"tagged-co / HIGH / {made[:10]}")
    assert batch.tags
    assert not any(TAG in one.tags for one in [batch, *api.task_runs(run.id, 2)])


def test_a_round_without_anything_to_do_asks_nobody(world):
    """An empty ledger: no batch, no request, and still a lake that can be opened."""
    world.run(lambda: work(until_idle=False, flush=True))
    assert world.offline.requests == []
    assert list_batches(world.ledger, 10) == ()
    with flywheel.connect(world.settings.lake) as lake:
        assert lake.execute("SELECT count(*) FROM raw_batches").fetchone() == (0,)


def test_a_burst_of_low_events_is_promoted_with_its_explanation(world, fill):
    """A topic that comes far more often than its history explains goes to HIGH; a quiet one stays LOW."""
    now = world.clock.now
    old = [
        event.model_copy(update={"time": now - timedelta(days=day)})
        for day, event in zip(
            range(10, 60), fill.events(["Fine."] * 50, priority=Priority.LOW, topic="parking"), strict=True
        )
    ]
    recent = fill.events(TEXTS * 10, priority=Priority.LOW, topic="phones", time=now)
    quiet = fill.events(["Fine."], priority=Priority.LOW, topic="parking", time=now)
    fill.take_in(world.ledger, [*old, *recent, *quiet])
    formed = world.run(form_batches)
    assert formed.promoted == 20
    ((tenant, topic, events, evidence),) = world.rows(
        "SELECT tenant, topic, events, evidence FROM promotions"
    )
    assert (tenant, topic, events) == ("acme", "phones", 20)
    told = json.loads(evidence)
    assert told["explanation"].startswith("'phones' came 20 times in the 7 days to 2026-11-20")
    assert told["p_value"] < 0.001
    (urgent,) = [one for one in list_batches(world.ledger, 10) if one.level is Priority.HIGH]
    assert urgent.size == 20
    assert world.run(form_batches).promoted == 0


def test_flushing_closes_every_pool_and_without_it_young_ones_wait(world, fill):
    """One event is no batch yet; told to flush, it is one of its own level."""
    fill.take_in(world.ledger, fill.events(["Nobody answers."], priority=Priority.MEDIUM))
    assert world.run(form_batches).created == 0
    assert world.run(lambda: form_batches(flush=True)).created == 1
    assert [one.level for one in list_batches(world.ledger, 10)] == [Priority.MEDIUM]


def test_the_lake_says_what_the_ledger_says(world, fill):
    """Batches by state, calls, USD, deliverables and verdicts: the analysts' figures are the operator's."""
    fill.ready(world.ledger, TEXTS)
    fill.ready(world.ledger, [""])
    world.run(process_ready_batches, refresh_lake)
    told = status(world.ledger)
    with flywheel.connect(world.settings.lake) as lake:

        def asked(query):
            return lake.execute(query).fetchall()

        assert (
            dict(asked("SELECT state, count(*) FROM raw_batches GROUP BY 1")) == told["batches"]["by_state"]
        )
        assert (
            dict(asked("SELECT level, count(*) FROM raw_batches GROUP BY 1")) == told["batches"]["by_level"]
        )
        assert asked("SELECT count(*), sum(cost_usd) FROM raw_model_calls") == [
            (told["calls"], told["cost_usd"])
        ]
        assert (
            dict(asked("SELECT kind, count(*) FROM raw_deliverables GROUP BY 1"))
            == told["deliverables"]["by_kind"]
        )
        judged = asked("SELECT count(*), count(DISTINCT item) FROM raw_judgements WHERE is_passed")
        tokens = asked("SELECT sum(input_tokens), sum(output_tokens) FROM raw_model_calls")
    assert judged == [(25, 5)]
    assert tokens == [(world.offline.stats["input_tokens"], world.offline.stats["output_tokens"])]
    assert told["batches"]["by_state"] == {"DONE": 1, "FAILED": 1}


@pytest.fixture
def looking(sqlite_url, tmp_path, clock):
    """A watch on a fresh ledger: `look()` says whether there is work; the ledger is `.ledger`."""

    class Looking:
        settings = Settings(home=tmp_path, database_url=sqlite_url, offline_url="http://127.0.0.1:9")
        ledger = open_ledger(sqlite_url)
        watch = Watch()

        def look(self) -> bool:
            async def once():
                async with runtime(self.settings, clock=clock) as run:
                    waits = count_ready(run.ledger) > 0 or has_messages(run.ledger, clock())
                    return await is_due(self.watch, run) or waits

            return asyncio.run(once())

    found = Looking()
    yield found
    close_ledger(found.ledger)


def test_a_watch_looks_once_at_what_is_new_and_then_rests(looking, fill):
    """The first look works, for nobody knows what was before; then only events that came since."""
    assert [looking.look() for _ in range(3)] == [True, False, False]
    fill.take_in(looking.ledger, fill.events(TEXTS))
    assert [looking.look() for _ in range(3)] == [True, False, False]


def test_a_watch_works_when_a_batch_closes_by_age_and_not_again(looking, fill, clock):
    """Not before the age of its level, then once: what has closed is no reason to look again and again."""
    fill.take_in(looking.ledger, fill.events(TEXTS))
    looking.look()
    age = looking.settings.batching.tenant.high.max_age
    clock.now += age - timedelta(seconds=1)
    assert not looking.look()
    clock.advance(seconds=1)
    assert looking.look()
    plans = plan_batches(pending_events(looking.ledger), looking.settings.batching, clock.now)
    assert create_batches(looking.ledger, plans, clock.now) == 1
    assert looking.look()  # it is READY
    for plan in plans:
        finish(looking.ledger, plan.id, clock)
    assert not looking.look()


def finish(ledger, batch_id, clock, state=BatchState.FAILED, **fields):
    """Take a READY batch to an end, or to a wait."""
    from ledger.claims import claim  # noqa: PLC0415

    hour = timedelta(hours=1)
    work = claim(ledger, batch_id, lease_id="l", owner="w", now=clock.now, lease_for=hour)
    settle_batch(ledger, batch_id, work.lease, Settlement(state, "because", **fields), clock.now)


def test_a_watch_works_when_a_held_batch_may_go_on(looking, fill, clock):
    """Not before its time has come."""
    batch = fill.ready(looking.ledger, TEXTS)
    assert [looking.look(), looking.look()] == [True, True]  # new, then READY
    finish(looking.ledger, batch, clock, BatchState.HELD, resume_at=clock.now + timedelta(minutes=5))
    assert not looking.look()
    clock.advance(minutes=5)
    assert looking.look()


def test_a_watch_works_when_a_lease_has_run_out(looking, fill, clock):
    """A dead worker's batch is found by its lease."""
    fill.claimed(looking.ledger, TEXTS)
    assert [looking.look(), looking.look()] == [True, False]
    clock.advance(minutes=10)
    assert looking.look()


def test_a_watch_works_when_a_delivery_is_due(looking, fill, clock):
    """What could not be delivered goes out although nothing else happens."""
    done = fill.claimed(looking.ledger, TEXTS)
    looking.look()
    made = Deliverable(
        id="d-1",
        batch=done.batch.id,
        tenant="acme",
        user=None,
        kind=DeliverableKind.INSIGHT,
        form="report",
        title="Fine",
        markdown="# Fine",
        content={},
        scores={},
        provenance=Provenance(
            events=("e-1",),
            prompt="p",
            prompt_version="1",
            rubric_version="1",
            model="m",
            judge_model="m",
            cost_usd=0.0,
        ),
        created_at=clock.now,
    )
    commit_batch(looking.ledger, done.batch.id, done.lease, [made], ["files"], clock.now)
    assert looking.look()
