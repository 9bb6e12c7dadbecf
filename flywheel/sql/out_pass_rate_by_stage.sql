-- Pass rate and mean score of generated items, per stage of the pipeline.
-- like: measures, core_items
WITH measured AS (
    SELECT
        stage,
        measures(is_passed, is_unscored, mean_score) AS measured
    FROM core_items
    GROUP BY ALL
)

SELECT
    stage,
    unnest(measured)
FROM measured
