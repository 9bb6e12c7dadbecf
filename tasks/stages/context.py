"""Context validation: do these events say anything, and how are they shown to a model?"""

from collections.abc import Mapping
from typing import Any

from contracts.batches import BatchWork
from contracts.events import Event
from tasks.diagnosis.redact import without_credentials
from tasks.sources.text import event_rating, event_text
from tasks.stages.base import BatchContext

MAX_EVENT_CHARACTERS = 4_000
MIN_LETTERS = 3


class NothingToSayError(Exception):
    """No event of the batch has content: generating from it would be invention."""


def validated_context(work: BatchWork) -> BatchContext:
    """The batch with its events as prompts show them.

    Raises:
        NothingToSayError: not one event has at least three letters of text.
    """
    shown = tuple(_shown(number, event) for number, event in enumerate(work.events, start=1))
    if not any(_has_content(entry["text"]) for entry in shown):
        raise NothingToSayError(
            f"none of the {len(shown)} events of this batch has any text to work from; nothing was generated"
        )
    return BatchContext(work, shown)


def _shown(number: int, event: Event) -> Mapping[str, Any]:
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


def _has_content(text: str) -> bool:
    return sum(character.isalpha() for character in text) >= MIN_LETTERS
