"""How one step is done: sources, batching, stages and prompts, model client, judging, delivery, diagnosis.

Plain functions that take what they need; `tasks.shells` wraps the ones that Prefect runs. What happens in which
order belongs in `flows`; what good means in `evaluation`; what has happened in `ledger`.
"""
