-- One row per item and criterion: the finest grain of quality, to be grouped by anything.
-- like: raw_judgements
-- is_unscored: Whether the judge failed on it
-- day [UTC date]: The day it was judged
SELECT
    day,
    batch_id,
    item,
    stage,
    kind,
    form,
    tenant,
    level,
    scope,
    criterion,
    score,
    threshold,
    CASE WHEN score IS NOT NULL THEN is_passed END AS is_passed,
    score IS NULL OR is_passed IS NULL AS is_unscored,
    reason,
    judge_model,
    rubric_version,
    prompt,
    prompt_version,
    model,
    judged_at
FROM raw_judgements
