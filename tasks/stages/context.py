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
MAX_ATTACHED_CHARACTERS = 40_000
"""Of all files of a batch, the first events' first: its budget of tokens counts events alone."""
MIN_LETTERS = 3


class NothingToSayError(Exception):
    """No event of the batch has content: generating from it would be invention."""


def validated_context(work: BatchWork, attached: Sequence[Attachment] = ()) -> BatchContext:
    """The batch with its events as prompts show them, and with what is known of the files that came with them.

    Raises:
        NothingToSayError: neither an event nor a file of one has at least three letters of text.
    """
    room = MAX_ATTACHED_CHARACTERS
    shown = []
    for number, event in enumerate(work.events, start=1):
        files = _files(event, attached, room)
        room -= sum(len(one["text"]) for one in files)
        # Prompts of events without files stay as they were, and so does what has been paid for.
        shown.append(_shown(number, event) | ({"attachments": files} if files else {}))
    if not any(_has_content(text) for entry in shown for text in _texts(entry)):
        raise NothingToSayError(
            f"none of the {len(shown)} events of this batch has any text to work from; nothing was generated"
        )
    return BatchContext(work, tuple(shown))


def _shown(number: int, event: Event) -> dict[str, Any]:
    return {
        "n": number,
        "kind": str(event.type),
        "when": event.time.date().isoformat() if event.time else None,
        "priority": str(event.priority),
        "topic": without_credentials(event.topic),
        "rating": event_rating(event),
        # Customers paste keys and passwords; nobody downstream needs them.
        "text": without_credentials(event_text(event))[:MAX_EVENT_CHARACTERS],
    }


def _files(event: Event, attached: Sequence[Attachment], room: int) -> list[dict[str, Any]]:
    """An event's files by what is in them, as far as there is room. Their names stay away: they may be anybody's."""
    key, files = event_key(event.tenant, event.source, event.id), []
    for one in attached:
        if one.event_key == key and one.findings is not None:
            text = without_credentials(one.findings.text)[: min(MAX_ATTACHMENT_CHARACTERS, max(room, 0))]
            room -= len(text)
            details = {name: _plain(said) for name, said in one.findings.details.items()}
            files.append({"type": one.findings.media_type, **details, "text": text})
    return files


def _plain(said: object) -> object:
    return without_credentials(said) if isinstance(said, str) else said


def _texts(entry: Mapping[str, Any]) -> list[str]:
    return [entry["text"], *(one.get("text", "") for one in entry.get("attachments", ()))]


def _has_content(text: str) -> bool:
    return sum(character.isalpha() for character in text) >= MIN_LETTERS
