-- What people received, per kind and form.
-- like: raw_deliverables
-- n_deliverables [deliverables]: How many were committed
-- n_batches [batches]: How many batches they came from
-- cost_usd [USD]: Price of their generation and judgement together
SELECT
    kind,
    form,
    count(*) AS n_deliverables,
    count(DISTINCT batch_id) AS n_batches,
    sum(cost_usd) AS cost_usd
FROM raw_deliverables
GROUP BY kind, form
