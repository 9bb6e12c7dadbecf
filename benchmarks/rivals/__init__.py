"""The work of `benchmarks.work`, done by others: by hand, by DBOS Transact, by Prefect alone."""
