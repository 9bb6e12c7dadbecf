-- What arrived, per tenant, kind and priority.
-- like: raw_events
-- n_events [events]: How many events were taken
-- n_users [users]: How many of the tenant's users they come from
-- first_accepted_at [UTC]: When the first of them was taken
-- last_accepted_at [UTC]: When the last of them was taken
SELECT
    tenant,
    kind,
    priority,
    count(*) AS n_events,
    count(DISTINCT "user") AS n_users,
    sum(tokens)::BIGINT AS tokens,
    min(accepted_at) AS first_accepted_at,
    max(accepted_at) AS last_accepted_at
FROM raw_events
GROUP BY tenant, kind, priority
