-- One row per model call with its batch's scope and level.
-- like: raw_model_calls, raw_batches
-- total_tokens [tokens]: All four kinds of tokens together
-- is_failed: Whether the call brought no usable answer; null while it is under way
-- day [UTC date]: The day it was sent
SELECT
    calls.day,
    calls.call_id,
    calls.batch_id,
    calls.tenant,
    calls."user",
    calls.feature,
    calls.pipeline,
    batches.scope,
    batches.level,
    calls.stage,
    calls.item,
    calls.purpose,
    calls.model,
    calls.prompt_version,
    calls.rubric_version,
    calls.state,
    CASE calls.state WHEN 'FAILED' THEN true WHEN 'SUCCEEDED' THEN false END AS is_failed,
    calls.error,
    calls.input_tokens,
    calls.output_tokens,
    calls.cache_write_tokens,
    calls.cache_read_tokens,
    coalesce(calls.input_tokens, 0) + coalesce(calls.output_tokens, 0)
    + coalesce(calls.cache_write_tokens, 0) + coalesce(calls.cache_read_tokens, 0) AS total_tokens,
    calls.cost_usd,
    calls.latency_ms,
    calls.started_at
FROM raw_model_calls AS calls
LEFT JOIN raw_batches AS batches ON calls.batch_id = batches.batch_id
