-- What each source gave, over all its intakes.
-- like: raw_intakes
-- n_intakes [intakes]: How often it was read
-- last_read_at [UTC]: When it was last read
SELECT
    origin,
    count(*) AS n_intakes,
    sum(n_read)::BIGINT AS n_read,
    sum(n_accepted)::BIGINT AS n_accepted,
    sum(n_duplicates)::BIGINT AS n_duplicates,
    sum(n_rejected)::BIGINT AS n_rejected,
    max(read_at) AS last_read_at
FROM raw_intakes
GROUP BY origin
