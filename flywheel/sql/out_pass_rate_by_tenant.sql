-- Pass rate and mean score of generated items, per tenant.
-- like: measures, core_items
WITH measured AS (
    SELECT
        tenant,
        measures(is_passed, is_unscored, mean_score) AS measured
    FROM core_items
    GROUP BY ALL
)

SELECT
    tenant,
    unnest(measured)
FROM measured
