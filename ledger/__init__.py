"""What has happened: the durable truth, on SQLite or PostgreSQL.

Every function takes a `Ledger` first, and the time and the ids it is to record as arguments: the database
stores what it is given. Times are timezone-aware UTC, money is `Decimal` USD exact to a billionth. Nothing
here knows Prefect, prompts or a provider.
"""
