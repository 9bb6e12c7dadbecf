-- One row per item that the gate stopped, with the criterion it fell short on by most and the judge's reason.
-- like: core_items, core_shortfalls
-- n_shortfalls [criteria]: On how many criteria it fell short
-- day [UTC date]: The day it was generated
SELECT
    items.day,
    items.batch_id,
    items.item,
    items.stage,
    items.kind,
    items.form,
    items.tenant,
    items."user",
    items.level,
    items.scope,
    items.prompt,
    items.prompt_version,
    items.model,
    shortfalls.criterion,
    shortfalls.score,
    shortfalls.threshold,
    shortfalls.reason,
    coalesce(shortfalls.n_shortfalls, 0) AS n_shortfalls,
    items.judge_model,
    items.rubric_version,
    items.judged_at
FROM core_items AS items
LEFT JOIN core_shortfalls AS shortfalls
    ON items.batch_id = shortfalls.batch_id AND items.item = shortfalls.item AND shortfalls.rank = 1
WHERE items.is_passed = false
