"""Options that name somebody or something: never empty, as a variable of a script is that was not set."""

from contracts.errors import OperatorError
from contracts.events import who


class EmptyOptionError(OperatorError):
    """An option that names nothing; the message says which."""


def given(option: str, value: str) -> str:
    """The value without blanks around it; EmptyOptionError where that is nothing."""
    try:
        return who(value)
    except ValueError as error:
        raise EmptyOptionError(f"{option} is empty: name whom it is about") from error
