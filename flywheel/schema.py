"""The lake's fact tables as data: what each is, its columns, their types, units and meanings.

The one place that says what a fact is called. Writers are checked against it, the raw views are made from it,
and `describe()` repeats its words. Names follow one rule: a unit is a suffix (`cost_usd`), `is_` a yes or no,
`_at` a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import polars as pl

TIME: Final = pl.Datetime("us", "UTC")

SQL_TYPES: Final[Mapping[pl.DataType, str]] = MappingProxyType(
    {
        pl.String(): "VARCHAR",
        pl.Int64(): "BIGINT",
        pl.Float64(): "DOUBLE",
        pl.Boolean(): "BOOLEAN",
        TIME: "TIMESTAMP WITH TIME ZONE",
    }
)


@dataclass(frozen=True)
class Column:
    """One column: name, polars type, unit (None where it has none) and meaning. Any column may be null."""

    name: str
    dtype: pl.DataType
    unit: str | None
    meaning: str

    @property
    def sql_type(self) -> str:
        """The DuckDB type that the column has in every view."""
        return SQL_TYPES[self.dtype]


@dataclass(frozen=True)
class Table:
    """One fact table: its meaning and its columns in order."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    @property
    def polars_schema(self) -> pl.Schema:
        """Names and types a frame must have to be written."""
        return pl.Schema({column.name: column.dtype for column in self.columns})


def _text(name: str, meaning: str) -> Column:
    return Column(name, pl.String(), None, meaning)


def _whole(name: str, unit: str, meaning: str) -> Column:
    return Column(name, pl.Int64(), unit, meaning)


def _real(name: str, unit: str, meaning: str) -> Column:
    return Column(name, pl.Float64(), unit, meaning)


def _time(name: str, meaning: str) -> Column:
    return Column(name, TIME, "UTC", meaning)


_BATCH = _text("batch_id", "The batch, the unit of work: one scope, one level, some events")
_TENANT = _text("tenant", "The customer whose events these are")
_USER = _text("user", "The tenant's user; null where the scope is the tenant")
_LEVEL = _text("level", "Urgency of the batch: HIGH, MEDIUM or LOW")
_SCOPE = _text("scope", "Whose events the batch holds: `tenant` or `user`")
_PIPELINE = _text("pipeline", "The pipeline the batch goes through")
_STAGE = _text("stage", "The step of the pipeline")
_ITEM = _text("item", "The generated item; unique within its batch")
_KIND = _text("kind", "What it is: insight, recommendation, solution, notice, summary or classification")
_FORM = _text("form", "Tells apart things of one kind, such as `action_plan` or `admin`")
_PROMPT = _text("prompt", "Name of the prompt that generated the item")
_PROMPT_VERSION = _text("prompt_version", "Version of the prompt: a hash of its content")
_MODEL = _text("model", "The model that generated the item")
_RUBRIC_VERSION = _text("rubric_version", "Version of the rubric: a hash of its content")

_BATCHES = Table(
    "batches",
    "One row per batch, as it stood when the day was last written",
    (
        _BATCH,
        _SCOPE,
        _TENANT,
        _USER,
        _LEVEL,
        _PIPELINE,
        _text("state", "Where the batch stands, such as READY, RUNNING, DONE or FAILED"),
        _whole("size", "events", "How many events the batch holds"),
        _whole("tokens", "tokens", "Estimated tokens of its events"),
        _time("created_at", "When the batch was closed"),
        _time("started_at", "When work on it first began; null before"),
        _time("finished_at", "When it reached its last state; null before"),
        _text("reason", "Why it is in its state, in words"),
    ),
)

_GENERATIONS = Table(
    "generations",
    "One row per generated item",
    (
        _BATCH,
        _ITEM,
        _STAGE,
        _KIND,
        _FORM,
        _TENANT,
        _USER,
        _LEVEL,
        _SCOPE,
        _PROMPT,
        _PROMPT_VERSION,
        _MODEL,
        _text("verdict", "PASSED or FAILED by the gate; UNSCORED if the judge failed; null before judging"),
        _time("created_at", "When the item was generated"),
        _time("judged_at", "When the item was judged; null before"),
    ),
)

_JUDGEMENTS = Table(
    "judgements",
    "One row per item and criterion judged",
    (
        _BATCH,
        _ITEM,
        _STAGE,
        _KIND,
        _FORM,
        _TENANT,
        _LEVEL,
        _SCOPE,
        _text("criterion", "The criterion of the rubric"),
        _real("score", "0..1", "The judge's score, 1 is best; null, never zero, where the judge failed"),
        _real("threshold", "0..1", "The least score that passes"),
        Column("is_passed", pl.Boolean(), None, "Whether the score reaches the threshold; null if unscored"),
        _text("reason", "The judge's reason, or why it failed; content, which may quote what was judged"),
        _text("judge_model", "The model that judged"),
        _RUBRIC_VERSION,
        _PROMPT,
        _PROMPT_VERSION,
        _MODEL,
        _time("judged_at", "When the judge answered, or was seen to have failed"),
    ),
)

_MODEL_CALLS = Table(
    "model_calls",
    "One row per call of a model, paid or failed",
    (
        _text("call_id", "The call"),
        _BATCH,
        _TENANT,
        _USER,
        _text("feature", "Where in the tenant's product the events came from; cost is booked to it"),
        _PIPELINE,
        _STAGE,
        _text("item", "What the call was for: the generated item or its judgement"),
        _text("purpose", "Why the model was called: generate, judge or diagnose"),
        _text("model", "The model that was called"),
        _PROMPT_VERSION,
        _RUBRIC_VERSION,
        _text("state", "STARTED, SUCCEEDED or FAILED"),
        _whole("input_tokens", "tokens", "Input tokens, those from the cache not counted"),
        _whole("output_tokens", "tokens", "Output tokens"),
        _whole("cache_write_tokens", "tokens", "Input tokens written to the prompt cache"),
        _whole("cache_read_tokens", "tokens", "Input tokens read from the prompt cache"),
        _real("cost_usd", "USD", "Price of the call"),
        _real("latency_ms", "ms", "From the request to the whole answer"),
        _time("started_at", "When the request was sent"),
        _text("error", "What went wrong; null where nothing did"),
    ),
)

_DELIVERABLES = Table(
    "deliverables",
    "One row per deliverable: a judged result that people receive",
    (
        _text("deliverable_id", "The deliverable"),
        _BATCH,
        _TENANT,
        _USER,
        _KIND,
        _FORM,
        _text("title", "Its title"),
        _time("created_at", "When it was committed"),
        _real("cost_usd", "USD", "Price of its generation and judgement together"),
    ),
)

TABLES: Final[Mapping[str, Table]] = MappingProxyType(
    {table.name: table for table in (_BATCHES, _GENERATIONS, _JUDGEMENTS, _MODEL_CALLS, _DELIVERABLES)}
)
"""Every fact table of the lake by its name, in the order in which they are described."""
