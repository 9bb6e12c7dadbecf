-- Pass rate and mean score of all generated items; one row, or none where nothing was generated.
-- like: measures, core_items
WITH measured AS (
    SELECT measures(is_passed, is_unscored, mean_score) AS measured
    FROM core_items
    HAVING count(*) > 0
)

SELECT unnest(measured)
FROM measured
