"""One item: generated once, judged apart from how it was made, and never passed without a verdict."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from contracts.batches import BatchWork
from contracts.content import InsightReport
from deployments.offline_model.server import serve_offline
from evaluation.rubric import DELIVERABLE_RUBRIC, Rubric
from ledger.costs import item_costs
from ledger.work import StoredItem, calls_in_doubt, read_items
from tasks.model.client import ModelClient
from tasks.model.paid import PaidCalls, RetryPolicy
from tasks.model.prices import load_prices
from tasks.produce import (
    GateClosedError,
    GenerationError,
    JudgeOutageError,
    Producer,
    caller_for,
    produce,
)
from tasks.prompts import Prompt
from tasks.stages import insights
from tasks.stages.base import Item, ItemSpec, StageOptions
from tasks.stages.context import validated_context
from tests.worlds import until

OPTIONS = StageOptions(1, ("document",), ("admin",))
TEXTS = [
    "The phone rings out after five and nobody calls back, so we wait until Monday.",
    "I waited forty minutes on the phone on Tuesday before the call was dropped.",
    "Support on the phone was friendly but the transfer to billing dropped the call.",
]
CLOSED = Rubric(tuple(replace(criterion, threshold=1.01) for criterion in DELIVERABLE_RUBRIC.criteria))
JUDGE = {"schema": "JudgeReply"}
WRITER = {"schema": "InsightReport"}


async def no_wait(_seconds: float) -> None:
    """Retries at once."""


class Bench:
    """A claimed batch, its first stage's item, and a provider to make it with."""

    def __init__(self, ledger, work: BatchWork, url: str, clock) -> None:
        self.ledger, self.work, self.url, self.clock = ledger, work, url, clock
        (self.spec,) = insights.plan(validated_context(work), OPTIONS)
        self.numbers = count(1)

    def stored(self) -> StoredItem | None:
        """What the ledger holds of the item."""
        return next(iter(read_items(self.ledger, self.work.batch.id)), None)

    def produce(self, spec: ItemSpec | None = None, **producer: Any) -> Item:
        """Make the item as a worker does: with what is stored, and waiting for nothing."""
        return asyncio.run(self._produce(spec or self.spec, **producer))

    async def _produce(self, spec, *, delays=(), timeout_s=20.0, **producer):
        async with ModelClient("key", self.url, timeout_s, 8, load_prices()) as client:
            retry = RetryPolicy(delays, lambda: 0.5, no_wait)
            calls = PaidCalls(self.ledger, client, retry, self.clock, lambda: f"call-{next(self.numbers)}")
            given: Mapping[str, Any] = {
                "model": "offline-extractive",
                "judge_model": "offline-extractive",
                "max_tokens": 8_000,
                "rubric": DELIVERABLE_RUBRIC,
            }
            who = caller_for(self.work, spec.stage, spec.name)
            return await produce(spec, who, self.stored(), Producer(calls, **{**given, **producer}))


@pytest.fixture
def bench(sqlite_ledger, fill, offline, clock) -> Bench:
    """A batch of three events about the phone, before its first call."""
    return Bench(sqlite_ledger, fill.claimed(sqlite_ledger, TEXTS), offline.url, clock)


def test_an_item_is_generated_once_and_judged_once(bench, offline):
    """Two calls: the content keeps the contract, the scores are the rubric's criteria, all is in the ledger."""
    item = bench.produce()
    assert offline.counts == {"InsightReport": 1, "JudgeReply": 1}
    assert isinstance(item.content, InsightReport)
    assert set(item.scores) == set(DELIVERABLE_RUBRIC.thresholds)
    stored = bench.stored()
    assert (stored.verdict, stored.scores) == ("passed", item.scores)
    assert stored.content == item.content.model_dump(mode="json")
    assert (stored.prompt, stored.prompt_version) == ("insights", bench.spec.prompt.version)
    assert stored.rubric_version == DELIVERABLE_RUBRIC.version
    assert calls_in_doubt(bench.ledger) == ()


def test_a_finished_item_is_neither_generated_nor_judged_again(bench, offline):
    """The second run reads it from the ledger: the same item, and no call."""
    first = bench.produce()
    asked = len(offline.requests)
    assert bench.produce() == first
    assert len(offline.requests) == asked


@pytest.mark.parametrize(
    "play",
    [
        {"kind": "malformed"},
        {"kind": "nonsense"},
        {"kind": "truncate"},
        {"kind": "refusal"},
        {"kind": "error", "status": 500},
        {"kind": "error", "status": 400},
        {"kind": "overloaded"},
        {"kind": "hang", "seconds": 600},
    ],
    ids=lambda play: f"{play['kind']}{play.get('status', '')}",
)
def test_a_judge_that_cannot_answer_passes_nothing_and_only_the_judge_is_asked_again(bench, offline, play):
    """An outage, whatever its shape: unscored rows, the draft kept, and on the next run no call but the judge's."""
    offline.play([{"match": JUDGE, "play": play}])
    # The hang is the play that waits for our limit; the others answer long before any.
    timeout_s = 1.0 if play["kind"] == "hang" else 20.0
    with pytest.raises(JudgeOutageError, match="insights could not be judged: "):
        bench.produce(timeout_s=timeout_s)
    unscored = bench.stored()
    assert unscored.verdict == "unscored"
    assert unscored.scores == {}
    assert {row.criterion for row in unscored.judgements} == set(DELIVERABLE_RUBRIC.thresholds)
    assert {(row.score, row.passed) for row in unscored.judgements} == {(None, None)}
    offline.play([])
    assert bench.produce().content.model_dump(mode="json") == unscored.content
    assert offline.counts == {"InsightReport": 1, "JudgeReply": 2}
    assert bench.stored().verdict == "passed"


def test_a_judge_out_of_reach_is_asked_once_more_a_delay(bench, offline):
    """Transient trouble of the judge is retried as any call's is, before the batch is held."""
    offline.play([{"match": JUDGE, "play": {"kind": "overloaded"}}])
    with pytest.raises(JudgeOutageError):
        bench.produce(delays=(1.0, 5.0, 25.0))
    assert offline.counts == {"InsightReport": 1, "JudgeReply": 4}


def test_a_closed_gate_raises_with_its_findings_and_is_not_retried(bench, offline):
    """Every criterion below its threshold is named with score and reason; nobody is asked a second time."""
    with pytest.raises(GateClosedError, match="insights did not pass the gate: ") as closed:
        bench.produce(rubric=CLOSED)
    assert [found.criterion for found in closed.value.findings] == list(CLOSED.thresholds)
    assert all(found.score < found.threshold == 1.01 and found.reason for found in closed.value.findings)
    assert offline.counts == {"InsightReport": 1, "JudgeReply": 1}
    stored = bench.stored()
    assert stored.verdict == "failed"
    assert {row.passed for row in stored.judgements} == {False}


def test_a_closed_gate_stays_closed_without_another_call(bench, offline):
    """A worker that died before it could fail the batch finds the verdict again, paid for and the same."""
    for _ in range(2):
        with pytest.raises(GateClosedError) as closed:
            bench.produce(rubric=CLOSED)
        assert closed.value.item == "insights"
    assert offline.counts == {"InsightReport": 1, "JudgeReply": 1}


def test_another_prompt_version_is_generated_and_judged_anew(bench, offline):
    """A verdict is about the words it was given for: new words are judged before they pass."""
    bench.produce()
    changed = replace(bench.spec, prompt=Prompt("insights", bench.spec.prompt.text + "\nBe brief."))
    with pytest.raises(GateClosedError):
        bench.produce(changed, rubric=CLOSED)
    assert offline.counts == {"InsightReport": 2, "JudgeReply": 2}
    stored = bench.stored()
    assert (stored.prompt_version, stored.verdict) == (changed.prompt.version, "failed")


def test_a_draft_outlives_the_worker_that_made_it(bench, offline):
    """Killed between draft and verdict: the next worker judges what is there and generates nothing."""
    offline.play([{"match": JUDGE, "play": {"kind": "hang", "seconds": 600}}])

    async def killed():
        making = asyncio.create_task(bench._produce(bench.spec))
        await until(lambda: "JudgeReply" in offline.counts)
        making.cancel()
        await asyncio.wait([making])

    asyncio.run(killed())
    assert (bench.stored().verdict, len(calls_in_doubt(bench.ledger))) == (None, 1)
    offline.play([])
    bench.produce()
    assert offline.counts == {"InsightReport": 1, "JudgeReply": 2}


@pytest.mark.parametrize(
    ("play", "kind", "words"),
    [
        ({"kind": "error", "status": 400}, "rejected", "HTTP 400"),
        ({"kind": "refusal"}, "refused", "refused"),
        ({"kind": "truncate"}, "invalid", "max_tokens"),
        ({"kind": "malformed"}, "invalid", "not a InsightReport: the answer"),
        ({"kind": "nonsense"}, "invalid", "not a InsightReport: summary"),
        ({"kind": "overloaded"}, "transient", "HTTP 529"),
    ],
)
def test_what_cannot_be_generated_says_why_and_with_which_prompt(bench, offline, play, kind, words):
    """No draft, no judgement; the error brings the failure's kind and what was asked."""
    offline.play([{"match": WRITER, "play": play}])
    with pytest.raises(GenerationError, match="insights could not be generated: ") as lost:
        bench.produce()
    assert lost.value.failure.kind == kind
    assert words in str(lost.value)
    assert TEXTS[0] in lost.value.prompt
    assert bench.stored() is None
    assert calls_in_doubt(bench.ledger) == ()
    assert set(offline.counts) == {"InsightReport"}


def test_unusable_answers_of_writer_and_judge_keep_their_cost(sqlite_ledger, fill, clock):
    """What was paid for and thrown away is in the item's cost: the books equal the provider's count."""
    plays = [
        {"match": WRITER, "play": {"kind": "malformed"}, "times": 1},
        {"match": JUDGE, "play": {"kind": "nonsense"}, "times": 1},
    ]
    with serve_offline(plays, any_model=True) as offline:
        bench = Bench(sqlite_ledger, fill.claimed(sqlite_ledger, TEXTS), offline.url, clock)
        models = {"model": "claude-opus-5", "judge_model": "claude-opus-5"}
        with pytest.raises(GenerationError):
            bench.produce(**models)
        with pytest.raises(JudgeOutageError):
            bench.produce(**models)
        bench.produce(**models)
        counted = offline.stats
    usd = Decimal(5 * counted["input_tokens"] + 25 * counted["output_tokens"]) / 1_000_000
    assert item_costs(sqlite_ledger, bench.work.batch.id) == {"insights": usd}
    assert counted["by_schema"] == {"InsightReport": 2, "JudgeReply": 2}


def test_a_call_is_booked_to_the_feature_most_events_came_from(bench, fill):
    """Ties go to the first by name, so that a second run books the same."""
    most = (*fill.events(["one"], feature="app"), *fill.events(["two", "three"], feature="chat"))
    tied = (*fill.events(["one"], feature="web"), *fill.events(["two"], feature="app"))
    works = [bench.work.model_copy(update={"events": events}) for events in (most, tied)]
    booked = [caller_for(work, "insights", "i").feature for work in works]
    assert booked == ["chat", "app"]
