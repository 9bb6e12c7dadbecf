-- One row per batch with how long it waited and ran.
-- like: raw_batches
-- wait_s [s]: From closing the batch to the first work on it; null before
-- run_s [s]: From the first work to its last state, pauses included; null before
-- total_s [s]: From closing the batch to its last state; null before
-- day [UTC date]: The day it is filed under
SELECT
    day,
    batch_id,
    scope,
    tenant,
    "user",
    level,
    pipeline,
    state,
    reason,
    size,
    tokens,
    created_at,
    started_at,
    finished_at,
    (epoch_us(started_at) - epoch_us(created_at)) / 1e6 AS wait_s,
    (epoch_us(finished_at) - epoch_us(started_at)) / 1e6 AS run_s,
    (epoch_us(finished_at) - epoch_us(created_at)) / 1e6 AS total_s
FROM raw_batches
