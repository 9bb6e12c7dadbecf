"""A trace from event to delivery, and metrics, at a real collector; nothing is sent where none is set."""

import json
from collections import Counter
from datetime import timedelta

import pytest

from contracts.batches import BatchState
from flows.intake import ingest_files
from flows.rounds import work
from ledger.batches import list_batches
from ledger.stories import take_ends
from tasks.telemetry.spans import trace_id

PATIENCE = timedelta(minutes=2)
SAID = "my card number is 4000 and I am Walburga"


@pytest.fixture
def source(tmp_path):
    """Two complaints of one user."""
    texts = [
        f"The phone rings out after five and nobody calls back; {SAID}.",
        "I waited forty minutes on the phone on Tuesday before the call was dropped.",
    ]
    lines = [
        {"id": f"r-{n}", "source": "shop", "type": "feedback.submitted", "tenant": "acme", "user": "u-1"}
        | {"time": "2026-11-19T08:00:00Z", "priority": "HIGH", "data": {"text": text}}
        for n, text in enumerate(texts)
    ]
    path = tmp_path / "events.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def worked_off(world, source):
    """Take the events in and work until nothing is left."""
    world.run(lambda: ingest_files([source]))
    world.run(lambda: work(until_idle=True, flush=True))


def attributes(span):
    """A span's attributes by name."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_a_batch_is_one_trace_from_its_events_to_its_deliverables(make_world, source, collector):
    """Two batches of the same events: each a trace whose spans hang together, every call and delivery in it."""
    world = make_world(otlp_endpoint=collector.url)
    worked_off(world, source)
    spans = collector.spans()
    made = {trace_id(batch.id).to_bytes(16): batch for batch in list_batches(world.ledger, 10)}
    assert {span.trace_id for span in spans} == set(made)
    for trace, batch in made.items():
        ours = [span for span in spans if span.trace_id == trace]
        (root,) = [span for span in ours if not span.parent_span_id]
        assert {span.parent_span_id for span in ours} - {b""} <= {span.span_id for span in ours}
        assert all(root.start_time_unix_nano <= span.start_time_unix_nano for span in ours)
        assert all(span.end_time_unix_nano <= root.end_time_unix_nano for span in ours)
        assert {attributes(span)["penstock.batch"] for span in ours} == {batch.id}
        kinds = Counter(span.name.split()[0] for span in ours)
        calls = world.rows(f"SELECT count(*) FROM model_calls WHERE batch_id = '{batch.id}'")
        sent = world.rows(
            "SELECT count(*) FROM outbox JOIN deliverables d ON d.id = deliverable_id "
            f"WHERE d.batch_id = '{batch.id}'"
        )
        assert (kinds["chat"],) == calls[0]
        assert (kinds["deliver"],) == sent[0]
        assert kinds["batch"] == 1
        assert kinds["collect"] == 2
        assert kinds["wait"] >= 1
        assert kinds["stage"] == 5


def test_model_calls_carry_the_conventions_for_generative_ai(make_world, source, collector):
    """Operation, provider, models, tokens and why it stopped, as a client span beneath its stage."""
    world = make_world(otlp_endpoint=collector.url)
    worked_off(world, source)
    stages = {span.span_id: span.name for span in collector.spans() if span.name.startswith("stage ")}
    calls = [span for span in collector.spans() if span.name.startswith("chat ")]
    for call in calls:
        told = attributes(call)
        assert call.name == f"chat {told['gen_ai.request.model']}"
        assert call.kind == call.SPAN_KIND_CLIENT
        assert told["gen_ai.operation.name"] == "chat"
        assert told["gen_ai.provider.name"] == "penstock-offline"
        assert told["gen_ai.response.model"] == told["gen_ai.request.model"]
        assert [one.string_value for one in told["gen_ai.response.finish_reasons"].values] == ["end_turn"]
        assert stages[call.parent_span_id] == f"stage {told['penstock.stage']}"
    tokens = [
        sum(attributes(call)[f"gen_ai.usage.{kind}_tokens"] for call in calls) for kind in ("input", "output")
    ]
    assert [tuple(tokens)] == world.rows("SELECT sum(input_tokens), sum(output_tokens) FROM model_calls")


def test_what_events_say_is_in_no_trace_and_no_metric(make_world, source, collector):
    """Nor who said it: traces leave the house."""
    world = make_world(otlp_endpoint=collector.url)
    worked_off(world, source)
    sent = b"".join(one.SerializeToString() for one in [*collector.traces, *collector.metrics])
    assert b"acme" in sent
    assert b"Walburga" not in sent
    assert b"u-1" not in sent


def test_metrics_are_those_of_the_watch(make_world, source, collector):
    """At the end of a run: nothing is ready, each stage's calls and items are counted."""
    world = make_world(otlp_endpoint=collector.url)
    worked_off(world, source)
    points = collector.points()
    depth = {tuple(sorted(of.values())): value for of, value in points["penstock.queue.batches"]}
    assert depth["HIGH", "ready"] == 0
    assert len(depth) == 9
    answered = sum(value for _, value in points["penstock.calls.answered"])
    assert [(answered,)] == world.rows("SELECT count(*) FROM model_calls")
    assert {of["quantile"] for of, _ in points["penstock.calls.latency"]} == {"0.5", "0.95", "0.99"}
    assert all(value > 0 for _, value in points["penstock.item.tokens"])


def test_a_collector_that_is_away_delays_no_work_and_is_told_later(make_world, source, collector):
    """The run ends as ever; the next one tells what this one could not."""
    collector.status = 400
    world = make_world(otlp_endpoint=collector.url)
    worked_off(world, source)
    assert {batch.state for batch in list_batches(world.ledger, 10)} == {BatchState.DONE}
    assert collector.traces == []
    collector.status = 200
    world.run(lambda: work(until_idle=True))
    assert len({span.trace_id for span in collector.spans()}) == 2
    world.run(lambda: work(until_idle=True))
    assert len(collector.traces) == 1


def test_without_a_collector_nothing_is_told(world, source):
    """No end is taken: whoever sets a collector within the hour finds them all."""
    worked_off(world, source)
    assert len(take_ends(world.ledger, world.clock(), PATIENCE)) == 2
