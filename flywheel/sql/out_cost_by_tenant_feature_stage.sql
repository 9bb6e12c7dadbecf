-- What model calls cost, per tenant, feature and stage.
-- like: core_calls
-- n_calls [calls]: How many calls were made
-- n_failed [calls]: How many of them brought no usable answer
-- input_tokens [tokens]: Their input tokens, those from the cache not counted
-- output_tokens [tokens]: Their output tokens
-- cache_write_tokens [tokens]: Their input tokens written to the prompt cache
-- cache_read_tokens [tokens]: Their input tokens read from the prompt cache
-- cost_usd [USD]: Their price together
-- median_latency_ms [ms]: Half of the calls were answered within this time
-- p95_latency_ms [ms]: 95 % of the calls were answered within this time
SELECT
    tenant,
    feature,
    stage,
    count(*) AS n_calls,
    count(*) FILTER (WHERE is_failed) AS n_failed,
    sum(input_tokens)::BIGINT AS input_tokens,
    sum(output_tokens)::BIGINT AS output_tokens,
    sum(cache_write_tokens)::BIGINT AS cache_write_tokens,
    sum(cache_read_tokens)::BIGINT AS cache_read_tokens,
    sum(cost_usd) AS cost_usd,
    median(latency_ms) AS median_latency_ms,
    quantile_cont(latency_ms, 0.95) AS p95_latency_ms
FROM core_calls
GROUP BY tenant, feature, stage
