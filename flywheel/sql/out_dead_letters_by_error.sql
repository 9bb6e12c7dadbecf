-- What batches died of, per stage and kind of error.
-- like: raw_dead_letters
-- n_letters [letters]: How many batches died of it
-- n_tenants [tenants]: How many tenants' batches they were
-- cost_usd [USD]: What they had cost until then
-- last_died_at [UTC]: When the last of them was given up
SELECT
    stage,
    error,
    count(*) AS n_letters,
    count(DISTINCT tenant) AS n_tenants,
    sum(cost_usd) AS cost_usd,
    max(died_at) AS last_died_at
FROM raw_dead_letters
GROUP BY stage, error
