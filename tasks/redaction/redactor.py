"""The redactor: what is personal leaves texts, data of any depth, events and rejections. Knows no library."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

import orjson

from contracts.events import Event, Rejection
from tasks.redaction.findings import Finding, merged, outside_marks, replaced
from tasks.redaction.pseudonyms import Pseudonyms

TOPIC_CHARACTERS: Final = 256
_REMEMBERED: Final = 20_000
_SHORT: Final = 200
_LEAST_DIGITS: Final = 7
_LEAST_USER: Final = 4
"""A shorter user, such as `1`, is also an answer to many a question."""

Finder = Callable[[str], list[Finding]]


class Redactor:
    """Puts marks such as `[PERSON]` in place of what `find` finds, and pseudonyms in place of users.

    Redacted again, nothing changes. `tenant`, `source`, `id`, `type` and `feature` stay: they are the names by
    which the operator's own systems call things, and an event is known by them.
    """

    def __init__(self, find: Finder, pseudonyms: Pseudonyms) -> None:
        self._find = find
        self._pseudonyms = pseudonyms
        # Words that stand in every event, as its speakers and states, are read once.
        self._short = lru_cache(_REMEMBERED)(self._redacted)

    def text(self, text: str, label: str = "") -> str:
        """The text without what is personal. `label` is the name of the field it stands in, which says much."""
        return self._short(text, label) if len(text) <= _SHORT else self._redacted(text, label)

    def data(self, value: object, user: str | None = None, label: str = "") -> object:
        """A JSON value, redacted at every depth; what is the user, word for word, becomes the user's pseudonym.

        Names of fields are texts too: `{"ann@example.org": 5}` is as personal as its reverse. Of two that become
        the same, the later is numbered.
        """
        if isinstance(value, str):
            is_user = user is not None and len(user) >= _LEAST_USER and value.strip() == user
            return self._pseudonyms.of(value.strip()) if is_user else self.text(value, label)
        if isinstance(value, dict):
            names = _distinct([str(self.data(str(name), user)) for name in value])
            values = zip(names, value.values(), strict=True)
            return {name: self.data(inner, user, name) for name, inner in values}
        if isinstance(value, list | tuple):
            return [self.data(inner, user, label) for inner in value]
        return self._number(value, label)

    def user(self, user: str | None) -> str | None:
        """The pseudonym under which a user is in the ledger."""
        return None if user is None else self._pseudonyms.of(user)

    def event(self, event: Event) -> Event:
        """The event as ledger and model may see it."""
        changed = {
            "data": self.data(event.data, event.user),
            "topic": self.text(event.topic)[:TOPIC_CHARACTERS],
            "user": self.user(event.user),
        }
        return event.model_copy(update=changed)

    def rejection(self, refused: Rejection, value: dict[str, Any] | None, user: str | None) -> Rejection:
        """The rejection: what it shows is the record's `value`, redacted, as JSON, or its text where it has none.

        The escapes of JSON would hide from the patterns where words and lines begin.
        """
        try:
            raw = self.text(refused.raw) if value is None else orjson.dumps(self.data(value, user)).decode()
        except (RecursionError, TypeError):  # nested deeper than JSON is written: as the text that it came as
            raw = self.text(refused.raw)
        return refused.model_copy(update={"reason": self.text(refused.reason), "raw": raw})

    def content_hash(self, plain: bytes) -> bytes:
        """The hash of an event's original content, keyed: whoever guesses the original cannot test the guess."""
        return self._pseudonyms.keyed(plain, b"content")

    def _number(self, value: object, label: str) -> object:
        """A long whole number may be a telephone's, a card's or an account's: its field's name decides."""
        if not isinstance(value, int) or len(str(abs(value))) < _LEAST_DIGITS:
            return value
        text = self.text(str(value), label)
        return value if text == str(value) else text

    def _redacted(self, text: str, label: str) -> str:
        """Until nothing more is found: what is left beside a mark may be found only then."""
        prefix = f"{label.replace('_', ' ')}: " if label else ""
        while findings := self._findings(prefix, text):
            text = replaced(text, findings)
        return text

    def _findings(self, prefix: str, text: str) -> list[Finding]:
        size = len(prefix)
        found = self._find(prefix + text)
        inside = [
            one._replace(start=max(0, one.start - size), end=one.end - size)
            for one in found
            if one.end > size
        ]
        return merged(outside_marks(text, inside))


def _distinct(names: Iterable[str]) -> list[str]:
    """The names, those that were there before with a number behind them."""
    taken: dict[str, None] = {}
    for name in names:
        number, numbered = 1, name
        while numbered in taken:
            number += 1
            numbered = f"{name} {number}"
        taken[numbered] = None
    return list(taken)
