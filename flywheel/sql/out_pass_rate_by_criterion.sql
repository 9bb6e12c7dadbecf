-- Pass rate and score of judgements, per criterion of the rubric.
-- like: measures, core_scores
WITH measured AS (
    SELECT
        criterion,
        measures(is_passed, is_unscored, score) AS measured
    FROM core_scores
    GROUP BY ALL
)

SELECT
    criterion,
    unnest(measured)
FROM measured
