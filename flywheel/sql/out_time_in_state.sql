-- How long batches stay in each state, per level and state; stays that go on are counted, not timed.
-- like: core_states
-- n_stays [stays]: How many stays there were, ended or not
-- n_present [batches]: How many batches are there now; in a last state they stay
-- median_stay_s [s]: Half of the ended stays were no longer than this
-- p95_stay_s [s]: 95 % of the ended stays were no longer than this
-- max_stay_s [s]: The longest ended stay
SELECT
    level,
    state,
    count(*) AS n_stays,
    count(*) FILTER (WHERE left_at IS NULL) AS n_present,
    median(stay_s) AS median_stay_s,
    quantile_cont(stay_s, 0.95) AS p95_stay_s,
    max(stay_s) AS max_stay_s
FROM core_states
GROUP BY level, state
