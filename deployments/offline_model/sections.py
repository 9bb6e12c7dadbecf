"""What a request shows: its fenced sections, parsed once. Knows the shape of a prompt, nothing of HTTP.

A section is `<name>`, a line of JSON, `</name>`. The JSON is escaped by the sender so that no datum can close
a fence; whatever is not such a section is plain text and carries no orders here.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

TOPIC_LONGEST: Final = 60
_FENCE: Final = re.compile(r"<([a-z_]+)>\n(.*?)\n</\1>", re.DOTALL)


@dataclass(frozen=True, slots=True, eq=False)
class EventView:
    """One event as a request shows it, equal by identity (so that a cache need not compare texts).

    `n` is 1-based, `when` an ISO date, `text` flattened and perhaps cut, with what its files say.
    """

    n: int
    kind: str
    when: str | None
    priority: str
    topic: str
    rating: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Sections:
    """The last user message: `text` as sent and `values`, its sections by name.

    Equal texts give the same object while cached, so the events of a batch are read once for all its stages.
    """

    text: str
    values: dict[str, Any]
    events: tuple[EventView, ...]

    def get(self, name: str) -> dict[str, Any]:
        """The section as an object; empty where the request has none or it is not an object."""
        value = self.values.get(name)
        return value if isinstance(value, dict) else {}

    def rows(self, name: str, field: str | None = None) -> list[dict[str, Any]]:
        """The objects of a list section, or of the list `field` of an object section."""
        value = self.values.get(name) if field is None else self.get(name).get(field)
        return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _json(text: str) -> Any:  # noqa: ANN401 - JSON is any value
    """The value, or None where the text is not JSON: such a fence is plain text."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def words_of(value: object) -> str:
    """A field as text: strings as they are, everything else (null, numbers) by its JSON; null is empty."""
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


def _topic(text: str) -> str:
    """A topic on one line, at most 60 characters, ending at a word where it is cut."""
    line = " ".join(text.split())
    return line if len(line) <= TOPIC_LONGEST else line[:TOPIC_LONGEST].rsplit(" ", 1)[0]


def _event(position: int, row: dict[str, Any]) -> EventView:
    n, rating = row.get("n"), row.get("rating")
    when = words_of(row.get("when"))[:10]
    return EventView(
        n=n if isinstance(n, int) else position,
        kind=words_of(row.get("kind")),
        when=when or None,
        priority=words_of(row.get("priority")),
        topic=_topic(words_of(row.get("topic"))),
        rating=float(rating) if isinstance(rating, int | float) and not isinstance(rating, bool) else None,
        text=_text(row),
    )


def _text(row: dict[str, Any]) -> str:
    """The event's own words, and then those of the files that came with it."""
    files = row.get("attachments")
    texts = [one.get("text") for one in files if isinstance(one, dict)] if isinstance(files, list) else []
    return "\n".join(filter(None, map(words_of, (row.get("text"), *texts))))


@lru_cache(maxsize=64)
def _events(text: str) -> tuple[EventView, ...]:
    rows = _json(text)
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return tuple(_event(position, row) for position, row in enumerate(found, start=1))


def parse_sections(text: str) -> Sections:
    """The sections of a user message; the first of a name wins, so text after the fences cannot replace one."""
    raw: dict[str, str] = {}
    for name, body in _FENCE.findall(text):
        raw.setdefault(name, body)
    values = {name: _json(body) for name, body in raw.items() if name != "events"}
    return Sections(text=text, values=values, events=_events(raw.get("events", "[]")))
