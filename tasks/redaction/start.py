"""The way in: the redactor an installation asked for. The libraries are loaded only when it did."""

from tasks.redaction.pseudonyms import Pseudonyms, has_key, load_key
from tasks.redaction.redactor import Redactor
from tasks.settings import Settings


def redactor_of(settings: Settings) -> Redactor | None:
    """The redactor in force; None where redaction is off. Takes some seconds when it is on."""
    if not settings.redact:
        return None
    from tasks.redaction.finder import load_finder  # noqa: PLC0415, seconds that only those pay who asked

    return Redactor(load_finder(settings.redact_model), _pseudonyms(settings))


def names_of(user: str, settings: Settings) -> tuple[str, ...]:
    """The names under which the ledger may have a user: the user's own, and the pseudonym where there is one.

    What was taken in before redaction was switched on, or after it was switched off, is there under the own name.
    """
    if settings.redact or settings.redact_key is not None or has_key(settings.home):
        return user, _pseudonyms(settings).of(user)
    return (user,)


def _pseudonyms(settings: Settings) -> Pseudonyms:
    if settings.redact_key is not None:
        return Pseudonyms(bytes.fromhex(settings.redact_key.get_secret_value()))
    return Pseudonyms(load_key(settings.home))
