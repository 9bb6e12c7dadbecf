"""Diagnosing a batch's failure: the debugger with the cheap model behind it."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.batches import BatchWork
from contracts.calls import Purpose
from evaluation.fence import fenced
from tasks.diagnosis.debugger import diagnose
from tasks.diagnosis.report import Diagnosis, FailureContext, FailureReport
from tasks.model.client import ModelRequest
from tasks.model.paid import Question
from tasks.produce import caller_for
from tasks.prompts import load_prompt
from tasks.runtime import Runtime

MAX_TOKENS = 2_000


class DiagnosisReply(BaseModel):
    """The model's answer."""

    model_config = ConfigDict(title="Diagnosis", extra="forbid", strict=True)

    summary: str = Field(min_length=1)
    root_cause: str = Field(min_length=1)
    suggested_fix: str = Field(min_length=1)
    claude_prompt: str = Field(min_length=1)


async def diagnose_failure(
    error: BaseException, context: FailureContext, work: BatchWork, runtime: Runtime, *, by_model: bool
) -> Diagnosis:
    """Explain `error`, with `by_model` by the cheap model, else by rules, else by its trace. Never raises."""

    async def ask(report: FailureReport) -> Diagnosis:
        prompt = load_prompt("diagnosis")
        request = ModelRequest(
            runtime.settings.diagnosing_model(),
            prompt.text,
            fenced({"failure": report.shown()}),
            DiagnosisReply,
            MAX_TOKENS,
        )
        who = caller_for(work, context.stage, f"diagnosis.{context.stage}")
        calls = runtime.calls
        paid = await calls.ask(who, Question(Purpose.DIAGNOSE, request, prompt.version))
        try:
            reply = DiagnosisReply.model_validate_json(paid.reply.text)
        except ValidationError as unreadable:
            raise await calls.reject(paid, "not a Diagnosis") from unreadable
        await calls.settle(paid)
        return Diagnosis(source="model", **reply.model_dump())

    return await diagnose(error, context, ask if by_model else None)
