-- How long finished batches waited and ran, per scope, level, pipeline and last state.
-- like: core_batches
-- n_batches [batches]: How many batches have finished so
-- median_wait_s [s]: Half of them were taken up within this time of being closed
-- p95_wait_s [s]: 95 % of them were taken up within this time
-- median_run_s [s]: Half of them ran no longer than this, pauses included
-- p95_run_s [s]: 95 % of them ran no longer than this
-- median_total_s [s]: Half of them took no longer than this from closing to the end
-- p95_total_s [s]: 95 % of them took no longer than this
-- max_total_s [s]: The slowest of them took this long
SELECT
    scope,
    level,
    pipeline,
    state,
    count(*) AS n_batches,
    median(wait_s) AS median_wait_s,
    quantile_cont(wait_s, 0.95) AS p95_wait_s,
    median(run_s) AS median_run_s,
    quantile_cont(run_s, 0.95) AS p95_run_s,
    median(total_s) AS median_total_s,
    quantile_cont(total_s, 0.95) AS p95_total_s,
    max(total_s) AS max_total_s
FROM core_batches
WHERE finished_at IS NOT NULL
GROUP BY scope, level, pipeline, state
