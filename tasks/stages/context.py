"""Context validation: do these events say anything, and how are they shown to a model?"""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.attachments import Attachment
from contracts.batches import BatchWork
from contracts.events import Event, event_key
from tasks.diagnosis.redact import without_credentials
from tasks.sources.text import event_rating, event_text
from tasks.stages.base import BatchContext

MAX_EVENT_CHARACTERS = 4_000
MAX_ATTACHMENT_CHARACTERS = 2_000
MAX_ATTACHMENTS = 5
"""Of one event; the first that came."""
MIN_LETTERS = 3


class NothingToSayError(Exception):
    """No event of the batch has content: generating from it would be invention."""


def validated_context(work: BatchWork, attached: Sequence[Attachment] = ()) -> BatchContext:
    """The batch with its events as prompts show them, and with what is known of the files that came with them.

    Raises:
        NothingToSayError: neither an event nor a file of one has at least three letters of text.
    """
    shown = tuple(_shown(number, event, attached) for number, event in enumerate(work.events, start=1))
    if not any(_has_content(text) for entry in shown for text in _texts(entry)):
        raise NothingToSayError(
            f"none of the {len(shown)} events of this batch has any text to work from; nothing was generated"
        )
    return BatchContext(work, shown)


def _shown(number: int, event: Event, attached: Sequence[Attachment]) -> Mapping[str, Any]:
    shown = {
        "n": number,
        "kind": str(event.type),
        "when": event.time.date().isoformat() if event.time else None,
        "priority": str(event.priority),
        "topic": without_credentials(event.topic),
        "rating": event_rating(event),
        # Customers paste keys and passwords; nobody downstream needs them.
        "text": without_credentials(event_text(event))[:MAX_EVENT_CHARACTERS],
    }
    key = event_key(event.tenant, event.source, event.id)
    files = [_file(one) for one in attached if one.event_key == key][:MAX_ATTACHMENTS]
    # Prompts of events without files stay as they were, and so does what has been paid for.
    return shown | {"attachments": files} if files else shown


def _file(one: Attachment) -> Mapping[str, Any]:
    """A file by what is in it. Its name stays away: it may be anybody's."""
    found = one.findings
    if found is None:
        return {}
    text = without_credentials(found.text)[:MAX_ATTACHMENT_CHARACTERS]
    return {
        "type": found.media_type,
        **{name: _plain(said) for name, said in found.details.items()},
        "text": text,
    }


def _plain(said: object) -> object:
    return without_credentials(said) if isinstance(said, str) else said


def _texts(entry: Mapping[str, Any]) -> list[str]:
    return [entry["text"], *(one.get("text", "") for one in entry.get("attachments", ()))]


def _has_content(text: str) -> bool:
    return sum(character.isalpha() for character in text) >= MIN_LETTERS
