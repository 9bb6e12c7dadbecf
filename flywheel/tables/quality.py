"""What models made of it: generated items, their judgements, every call."""

from typing import Final

import polars as pl

from flywheel.schema import Column, Table
from flywheel.tables.words import (
    BATCH,
    FORM,
    ITEM,
    KIND,
    LEVEL,
    MODEL,
    PIPELINE,
    PROMPT,
    PROMPT_VERSION,
    RUBRIC_VERSION,
    SCOPE,
    STAGE,
    TENANT,
    USER,
    real,
    text,
    time,
    whole,
)

GENERATIONS: Final = Table(
    "generations",
    "One row per generated item",
    "created_at",
    (
        BATCH,
        ITEM,
        STAGE,
        KIND,
        FORM,
        TENANT,
        USER,
        LEVEL,
        SCOPE,
        PROMPT,
        PROMPT_VERSION,
        MODEL,
        text("verdict", "PASSED or FAILED by the gate; UNSCORED if the judge failed; null before judging"),
        time("created_at", "When the item was generated"),
        time("judged_at", "When the item was judged; null before"),
    ),
)

JUDGEMENTS: Final = Table(
    "judgements",
    "One row per item and criterion judged",
    "judged_at",
    (
        BATCH,
        ITEM,
        STAGE,
        KIND,
        FORM,
        TENANT,
        LEVEL,
        SCOPE,
        text("criterion", "The criterion of the rubric"),
        real("score", "0..1", "The judge's score, 1 is best; null, never zero, where the judge failed"),
        real("threshold", "0..1", "The least score that passes"),
        Column("is_passed", pl.Boolean(), None, "Whether the score reaches the threshold; null if unscored"),
        text("reason", "The judge's reason, or why it failed; content, which may quote what was judged"),
        text("judge_model", "The model that judged"),
        RUBRIC_VERSION,
        PROMPT,
        PROMPT_VERSION,
        MODEL,
        time("judged_at", "When the judge answered, or was seen to have failed"),
    ),
)

MODEL_CALLS: Final = Table(
    "model_calls",
    "One row per call of a model, paid or failed",
    "started_at",
    (
        text("call_id", "The call"),
        BATCH,
        TENANT,
        USER,
        text("feature", "Where in the tenant's product the events came from; cost is booked to it"),
        PIPELINE,
        STAGE,
        text("item", "What the call was for: the generated item or its judgement"),
        text("purpose", "Why the model was called: generate, judge or diagnose"),
        text("model", "The model that was called"),
        PROMPT_VERSION,
        RUBRIC_VERSION,
        text("state", "STARTED, SUCCEEDED or FAILED"),
        whole("input_tokens", "tokens", "Input tokens, those from the cache not counted"),
        whole("output_tokens", "tokens", "Output tokens"),
        whole("cache_write_tokens", "tokens", "Input tokens written to the prompt cache"),
        whole("cache_read_tokens", "tokens", "Input tokens read from the prompt cache"),
        real("cost_usd", "USD", "Price of the call"),
        real("latency_ms", "ms", "From the request to the whole answer"),
        time("started_at", "When the request was sent"),
        text("error", "What went wrong; null where nothing did"),
    ),
)
