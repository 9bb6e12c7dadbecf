"""Routing: which records are taken, and as what, by rules that an operator writes as EventBridge patterns."""
