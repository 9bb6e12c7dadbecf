-- Where the batches stand, per scope, level, pipeline and state.
-- like: core_batches
-- n_batches [batches]: How many batches stand there
-- n_events [events]: How many events they hold
-- first_created_at [UTC]: When the oldest of them was closed
-- last_created_at [UTC]: When the newest of them was closed
SELECT
    scope,
    level,
    pipeline,
    state,
    count(*) AS n_batches,
    sum(size)::BIGINT AS n_events,
    min(created_at) AS first_created_at,
    max(created_at) AS last_created_at
FROM core_batches
GROUP BY scope, level, pipeline, state
