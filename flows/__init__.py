"""What happens, and in what order: Prefect flows, async, that read like the business.

No SQL, no prompts, no provider here: those are in `ledger` and `tasks`.
"""
