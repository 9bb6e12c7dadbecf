-- One row per generated item with its verdict and, where it was scored, its scores in brief.
-- like: raw_generations, raw_judgements
-- is_passed: Whether the gate let it through; null while not judged and where the judge failed
-- is_unscored: Whether the judge failed on it
-- mean_score [0..1]: Mean of its criteria's scores; null unless scored
-- lowest_criterion: The criterion with the lowest score, the first by name among equals
-- lowest_score [0..1]: The score of that criterion
-- n_criteria [criteria]: How many criteria were scored
-- day [UTC date]: The day it was generated
WITH judged AS (
    SELECT
        batch_id,
        item,
        avg(score) AS mean_score,
        min_by(criterion, (score, criterion)) FILTER (WHERE score IS NOT NULL) AS lowest_criterion,
        min(score) AS lowest_score,
        count(score) AS n_criteria,
        any_value(judge_model) AS judge_model,
        any_value(rubric_version) AS rubric_version
    FROM raw_judgements
    GROUP BY batch_id, item
)

SELECT
    generated.day,
    generated.batch_id,
    generated.item,
    generated.stage,
    generated.kind,
    generated.form,
    generated.tenant,
    generated."user",
    generated.level,
    generated.scope,
    generated.prompt,
    generated.prompt_version,
    generated.model,
    judged.judge_model,
    judged.rubric_version,
    generated.verdict,
    CASE generated.verdict WHEN 'PASSED' THEN true WHEN 'FAILED' THEN false END AS is_passed,
    coalesce(generated.verdict NOT IN ('PASSED', 'FAILED'), false) AS is_unscored,
    judged.mean_score,
    judged.lowest_criterion,
    judged.lowest_score,
    coalesce(judged.n_criteria, 0) AS n_criteria,
    generated.created_at,
    generated.judged_at
FROM raw_generations AS generated
LEFT JOIN judged ON generated.batch_id = judged.batch_id AND generated.item = judged.item
