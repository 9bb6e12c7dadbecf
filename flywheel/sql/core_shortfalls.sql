-- One row per item that the gate stopped and criterion it fell short on.
-- like: core_items, core_scores
-- shortfall [0..1]: How far the score is below the threshold
-- rank [1..]: 1 for the criterion the item fell short on by most, the first by name among equals
-- n_shortfalls [criteria]: On how many criteria the item fell short
-- day [UTC date]: The day it was judged
SELECT
    scores.day,
    scores.batch_id,
    scores.item,
    scores.stage,
    scores.kind,
    scores.form,
    scores.tenant,
    items."user",
    scores.level,
    scores.scope,
    scores.criterion,
    scores.score,
    scores.threshold,
    scores.threshold - scores.score AS shortfall,
    row_number() OVER (
        PARTITION BY scores.batch_id, scores.item
        ORDER BY scores.threshold - scores.score DESC, scores.criterion
    ) AS rank,
    count(*) OVER (PARTITION BY scores.batch_id, scores.item) AS n_shortfalls,
    scores.reason,
    scores.judge_model,
    scores.rubric_version,
    scores.prompt,
    scores.prompt_version,
    scores.model,
    scores.judged_at
FROM core_scores AS scores
JOIN core_items AS items ON scores.batch_id = items.batch_id AND scores.item = items.item
WHERE items.is_passed = false AND scores.is_passed = false
