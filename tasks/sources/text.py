"""An event as plain text, for prompts and for people."""

from collections.abc import Iterator
from typing import Any, Final

from contracts.events import Event
from tasks.sources.rules import number

CHARACTERS_PER_TOKEN: Final = 4
"""English prose in current tokenizers, roughly; other languages take more tokens than this says."""
_RATING_CODES: Final = range(1, 6)


def event_text(event: Event) -> str:
    """What an event says: title, text, turns, answers and measured value, a line each where it has them.

    An event that has none of these but a title gives every text in its data, except under names that
    begin with an underscore.
    """
    data = event.data
    body = [*_own_text(data), *_turns(data), *_answers(data), *_measurement(data)]
    if not body:
        return "\n".join(_leaves(data))
    title = data.get("title")
    return "\n".join([title, *body] if isinstance(title, str) and title else body)


def event_rating(event: Event) -> float | None:
    """The rating an event carries, on its source's own scale; None where it has none.

    It is `rating` or, as in the NHS Friends and Family Test (1 very good to 5 very poor, other codes
    undocumented), `rating_code`.
    """
    rating = number(event.data.get("rating"))
    if rating is not None:
        return rating
    code = number(event.data.get("rating_code"))
    return code if code in _RATING_CODES else None


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is: its characters divided by four, at least 1."""
    return max(1, len(text) // CHARACTERS_PER_TOKEN)


def _own_text(data: dict[str, Any]) -> Iterator[str]:
    text = data.get("text")
    if isinstance(text, str) and text:
        yield text


def _turns(data: dict[str, Any]) -> Iterator[str]:
    for turn in _objects(data.get("turns")):
        if said := turn.get("text"):
            speaker = turn.get("speaker")
            yield f"{speaker}: {said}" if speaker else str(said)


def _answers(data: dict[str, Any]) -> Iterator[str]:
    for item in _objects(data.get("answers")):
        answer = item.get("answer")
        if isinstance(answer, bool):
            answer = "yes" if answer else "no"
        if answer is not None and answer != "":
            yield f"{item.get('question') or 'Answer'}: {answer}"


def _measurement(data: dict[str, Any]) -> Iterator[str]:
    if metric := data.get("metric"):
        yield f"{metric}: {data.get('value')}"


def _objects(value: object) -> Iterator[dict[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if not name.startswith("_"):
                yield from _leaves(item)
