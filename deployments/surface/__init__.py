"""What a Prefect server shows of Penstock: the pool and its queues, deployments, triggers, limits, alerts."""
