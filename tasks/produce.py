"""Producing one item: generate, keep the draft, judge it, keep the verdict. The heart of every stage."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from contracts.base import Contract
from contracts.batches import BatchWork
from contracts.calls import CallFailure, Purpose
from evaluation.fence import fenced
from evaluation.gate import Shortfall, shortfalls
from evaluation.judge import JudgeCase, JudgeRequest, JudgeUnusableError, judge
from evaluation.rubric import Rubric
from evaluation.verdict import Scored, Unscored, Verdict
from ledger.work import Draft, ScoreRow, StoredItem, store_draft, store_verdict
from ledger.work import Verdict as StoredVerdict
from tasks.guard import Guard, checked
from tasks.model.client import PASSING, ModelCallError, ModelRequest
from tasks.model.paid import Caller, PaidCalls, PaidReply, Question
from tasks.render import markdown
from tasks.stages.base import Item, ItemSpec

CHECKS: Final = "leak-checks"
"""Who judged where a check took a criterion's points."""


class GateClosedError(Exception):
    """An item fell short of the rubric. No retry: the batch fails with its diagnosis.

    Its text is criteria and scores alone: Prefect writes it where nothing can be erased, and reasons quote people.
    """

    def __init__(self, item: str, findings: tuple[Shortfall, ...]) -> None:
        super().__init__(f"{item} did not pass the gate: {'; '.join(found.brief for found in findings)}")
        self.item = item
        self.findings = findings

    @property
    def told(self) -> str:
        """The same with the judge's reasons, for the ledger."""
        return f"{self.item} did not pass the gate: {'; '.join(map(str, self.findings))}"


class JudgeOutageError(Exception):
    """The judge gave no usable verdict. Nothing passes; the batch is held."""

    def __init__(self, item: str, reason: str) -> None:
        super().__init__(f"{item} could not be judged: {reason}")
        self.item = item


class GenerationError(Exception):
    """The model gave no usable item: rejected, refused, unusable, or out of reach after every retry."""

    def __init__(self, item: str, failure: CallFailure, prompt: str) -> None:
        super().__init__(f"{item} could not be generated: {failure.message}")
        self.item = item
        self.failure = failure
        self.prompt = prompt

    @property
    def may_pass(self) -> bool:
        """True when the same request may bring an item another time."""
        return self.failure.kind in PASSING


@dataclass(frozen=True)
class Producer:
    """What producing takes: the paid calls, the two models, the rubric, and what may not leak."""

    calls: PaidCalls
    model: str
    judge_model: str
    max_tokens: int
    rubric: Rubric
    guard: Guard = field(default_factory=Guard)


def caller_for(work: BatchWork, stage: str, item: str) -> Caller:
    """Whom the calls of an item are booked to; the feature most of the batch's events came from."""
    batch = work.batch
    features = Counter(event.feature for event in work.events)
    feature = min(features, key=lambda name: (-features[name], name))
    return Caller(
        batch.id,
        batch.tenant,
        batch.user,
        feature,
        batch.pipeline,
        stage,
        item,
        work.lease,
        rank=batch.level.rank,
    )


async def produce(spec: ItemSpec, who: Caller, stored: StoredItem | None, producer: Producer) -> Item:
    """The judged item for `spec`; what `stored` already holds is neither generated nor judged again.

    Raises:
        GateClosedError: the judge scored it below a threshold.
        JudgeOutageError: the judge could not be had.
        GenerationError: the model gave nothing usable.
        CallHeldError: an operator, a breaker or a budget stands in the way for now.
    """
    if stored is None or stored.prompt_version != spec.prompt.version:
        content = await _generate(spec, who, producer)
    else:
        content = spec.output.model_validate_json(stored.content_json)
        if stored.verdict == "passed":
            return Item(spec, content, stored.scores)
    verdict = await _judged(spec, content, who, producer)
    if isinstance(verdict, Unscored):
        raise JudgeOutageError(spec.name, verdict.reason)
    findings = shortfalls(verdict, producer.rubric)
    if findings:
        raise GateClosedError(spec.name, findings)
    return Item(spec, content, {score.criterion: score.score for score in verdict.scores})


async def _generate(spec: ItemSpec, who: Caller, producer: Producer) -> Contract:
    request = ModelRequest(
        producer.model, spec.prompt.text, fenced(spec.sections), spec.output, producer.max_tokens
    )
    question = Question(Purpose.GENERATE, request, spec.prompt.version)
    try:
        paid = await producer.calls.ask(who, question)
        content = await _parsed(spec, paid, producer.calls)
    except ModelCallError as error:
        raise GenerationError(spec.name, error.failure, request.user) from error
    draft = Draft(
        item=spec.name,
        stage=spec.stage,
        kind=spec.kind,
        form=spec.form,
        output_type=spec.output.__name__,
        content=content.model_dump(mode="json"),
        prompt=spec.prompt.name,
        prompt_version=spec.prompt.version,
        model=paid.reply.model,
    )
    calls = producer.calls
    await calls.keep(store_draft, who.batch, draft, calls.clock(), settle=paid.settlement)
    return content


def read_output(output: type[Contract], text: str) -> Contract:
    """What a model's text says, of the stage's type; ValueError with the reason for any other text."""
    try:
        return output.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise ValueError(f"not a {output.__name__}: {where}: {first['msg']}") from error


async def _parsed(spec: ItemSpec, paid: PaidReply, calls: PaidCalls) -> Contract:
    try:
        return read_output(spec.output, paid.reply.text)
    except ValueError as error:
        raise await calls.reject(paid, str(error)) from error


async def _judged(spec: ItemSpec, content: Contract, who: Caller, producer: Producer) -> Verdict:
    """Ask for the verdict and write it down, together with what it cost, whatever it is."""
    paid: list[PaidReply] = []

    async def ask(request: JudgeRequest) -> str:
        wire = ModelRequest(
            producer.judge_model, request.system, request.user, request.reply, producer.max_tokens
        )
        question = Question(Purpose.JUDGE, wire, spec.prompt.version, producer.rubric.version)
        try:
            paid.append(await producer.calls.ask(who, question))
        except ModelCallError as error:
            raise JudgeUnusableError(str(error)) from error
        return paid[0].reply.text

    text, hidden = markdown(content), await producer.guard.hidden(spec, who.tenant)
    case = JudgeCase(spec.kind, spec.form, spec.audience, producer.guard.hidden_from_judges(text))
    verdict = await judge(case, producer.rubric, ask)
    if isinstance(verdict, Scored):
        verdict = await asyncio.to_thread(checked, verdict, text, hidden)
    await _record(spec, verdict, who, producer, paid)
    return verdict


async def _record(
    spec: ItemSpec, verdict: Verdict, who: Caller, producer: Producer, paid: list[PaidReply]
) -> None:
    calls = producer.calls
    if isinstance(verdict, Unscored):
        if paid:
            await calls.reject(paid[0], verdict.reason)
        blank = _unscored_rows(verdict, producer)
        await calls.keep(store_verdict, who.batch, spec.name, "unscored", blank, calls.clock())
        return
    outcome: StoredVerdict = "failed" if shortfalls(verdict, producer.rubric) else "passed"
    rows = _rows(verdict, producer, paid[0].reply.model)
    await calls.keep(
        store_verdict,
        who.batch,
        spec.name,
        outcome,
        rows,
        calls.clock(),
        settle=paid[0].settlement,
    )


def _unscored_rows(verdict: Unscored, producer: Producer) -> list[ScoreRow]:
    """A row a criterion without a score: kept so that a silent judge can be counted, and never as a zero."""
    version = producer.rubric.version
    return [
        ScoreRow(name, None, threshold, None, verdict.reason, producer.judge_model, version)
        for name, threshold in producer.rubric.thresholds.items()
    ]


def _rows(verdict: Scored, producer: Producer, judge_model: str) -> list[ScoreRow]:
    thresholds = producer.rubric.thresholds
    return [
        ScoreRow(
            criterion=score.criterion,
            score=score.score,
            threshold=thresholds[score.criterion],
            passed=score.score >= thresholds[score.criterion],
            reason=score.reason,
            judge_model=CHECKS if score.is_checked else judge_model,
            rubric_version=producer.rubric.version,
        )
        for score in verdict.scores
    ]
