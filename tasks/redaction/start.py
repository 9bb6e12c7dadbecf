"""The way in: the redactor an installation asked for. The libraries are loaded only when it did."""

from tasks.redaction.pseudonyms import Pseudonyms, load_key
from tasks.redaction.redactor import Redactor
from tasks.settings import Settings


def redactor_of(settings: Settings) -> Redactor | None:
    """The redactor in force; None where redaction is off. Takes some seconds when it is on."""
    if not settings.redact:
        return None
    from tasks.redaction.finder import load_finder  # noqa: PLC0415, seconds that only those pay who asked

    return Redactor(load_finder(settings.redact_model), _pseudonyms(settings))


def redacted_user(user: str, settings: Settings) -> str:
    """The name under which the ledger has a user: the user's own, or with redaction on the pseudonym.

    What was taken in before redaction was switched on is there under the user's own name still.
    """
    return _pseudonyms(settings).of(user) if settings.redact else user


def _pseudonyms(settings: Settings) -> Pseudonyms:
    if settings.redact_key is not None:
        return Pseudonyms(bytes.fromhex(settings.redact_key.get_secret_value()))
    return Pseudonyms(load_key(settings.home))
