"""The columns that several tables share, said once; and short ways to say a column."""

from typing import Final

import polars as pl

from flywheel.schema import TIME, Column


def text(name: str, meaning: str) -> Column:
    """A column of text."""
    return Column(name, pl.String(), None, meaning)


def whole(name: str, unit: str, meaning: str) -> Column:
    """A column of whole numbers, in the unit."""
    return Column(name, pl.Int64(), unit, meaning)


def real(name: str, unit: str, meaning: str) -> Column:
    """A column of real numbers, in the unit."""
    return Column(name, pl.Float64(), unit, meaning)


def time(name: str, meaning: str) -> Column:
    """A column of points in time."""
    return Column(name, TIME, "UTC", meaning)


BATCH: Final = text("batch_id", "The batch, the unit of work: one scope, one level, some events")
TENANT: Final = text("tenant", "The customer whose events these are")
USER: Final = text("user", "The tenant's user; null where the scope is the tenant")
LEVEL: Final = text("level", "Urgency of the batch: HIGH, MEDIUM or LOW")
SCOPE: Final = text("scope", "Whose events the batch holds: `tenant` or `user`")
PIPELINE: Final = text("pipeline", "The pipeline the batch goes through")
STAGE: Final = text("stage", "The step of the pipeline")
ITEM: Final = text("item", "The generated item; unique within its batch")
KIND: Final = text("kind", "What it is: insight, recommendation, solution, notice, summary or classification")
FORM: Final = text("form", "Tells apart things of one kind, such as `action_plan` or `admin`")
PROMPT: Final = text("prompt", "Name of the prompt that generated the item")
PROMPT_VERSION: Final = text("prompt_version", "Version of the prompt: a hash of its content")
MODEL: Final = text("model", "The model that generated the item")
RUBRIC_VERSION: Final = text("rubric_version", "Version of the rubric: a hash of its content")

EVENT: Final = whole("event_seq", "number", "The event: the order in which the ledger took it")
ORIGIN: Final = text("origin", "Where it came from: a file, an object, a stream")
ATTEMPTS: Final = whole("n_attempts", "attempts", "How often it was tried")
