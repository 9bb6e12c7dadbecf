-- One row per stay of a batch in a state, from its move there to its move away.
-- like: raw_batch_states
-- state: The state it was in
-- entered_at [UTC]: When it came there
-- left_at [UTC]: When it moved on; null where it still is
-- stay_s [s]: How long it stayed; null where it still is
-- reason: Why it came there, in words
-- day [UTC date]: The day it came there
SELECT
    day,
    batch_id,
    tenant,
    "user",
    level,
    scope,
    pipeline,
    to_state AS state,
    reason,
    moved_at AS entered_at,
    lead(moved_at) OVER moves AS left_at,
    (epoch_us(lead(moved_at) OVER moves) - epoch_us(moved_at)) / 1e6 AS stay_s
FROM raw_batch_states
WINDOW moves AS (PARTITION BY batch_id ORDER BY move_id)
