"""Redaction: personal data leave an event before ledger and model see it, when the operator has asked for it.

Nothing here is loaded unless `PENSTOCK_REDACT=1`: `tasks.redaction.start` is the way in.
"""
