-- Which criterion stops items, per criterion of the rubric.
-- like: core_shortfalls
-- n_short [items]: How many stopped items fell short on it
-- n_first [items]: How many of them fell short on it by most
-- n_alone [items]: How many of them fell short on it and on nothing else
SELECT
    criterion,
    count(*) AS n_short,
    count(*) FILTER (WHERE rank = 1) AS n_first,
    count(*) FILTER (WHERE n_shortfalls = 1) AS n_alone
FROM core_shortfalls
GROUP BY criterion
