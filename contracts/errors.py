"""The base of every error that is meant for an operator."""


class OperatorError(Exception):
    """What happened, where, and what to do, in one line that may be shown as it is."""
