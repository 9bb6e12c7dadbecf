-- Pass rate and mean score of generated items, per day of generation.
-- like: measures, core_items
WITH measured AS (
    SELECT
        day,
        measures(is_passed, is_unscored, mean_score) AS measured
    FROM core_items
    GROUP BY ALL
)

SELECT
    day,
    unnest(measured)
FROM measured
