-- Pass rate and mean score of generated items, per generating model.
-- like: measures, core_items
WITH measured AS (
    SELECT
        model,
        measures(is_passed, is_unscored, mean_score) AS measured
    FROM core_items
    GROUP BY ALL
)

SELECT
    model,
    unnest(measured)
FROM measured
