"""The work that `benchmarks.orchestration` measures, done by others: by hand, by DBOS Transact, by Prefect alone."""
