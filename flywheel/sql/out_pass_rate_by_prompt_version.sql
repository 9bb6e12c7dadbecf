-- Pass rate and mean score of generated items, per prompt and its version.
-- like: measures, core_items
WITH measured AS (
    SELECT
        prompt,
        prompt_version,
        measures(is_passed, is_unscored, mean_score) AS measured
    FROM core_items
    GROUP BY ALL
)

SELECT
    prompt,
    prompt_version,
    unnest(measured)
FROM measured
