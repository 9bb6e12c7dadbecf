"""Reading one event at a time: sentences, terms, sentiment, theme. Pure, counted, nothing inferred.

Sentences are exact substrings of the event's text, so that what is quoted was said. Only the first
`READ_CHARACTERS` of a text are read; counts are over events, which that limit does not change.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, zip_longest
from typing import Final

from deployments.offline_model.lexicon import (
    NEGATORS,
    OPINION,
    PHRASE_STARTS,
    POSITIVE,
    REQUESTS,
    STOP,
    THEME_WORDS,
    Theme,
)
from deployments.offline_model.sections import EventView

READ_CHARACTERS: Final = 6_000
QUOTE_SHORTEST: Final = 40
QUOTE_LONGEST: Final = 200
COMMON_SHARE: Final = 0.6
ALERT: Final = "system.alert"
SURVEY: Final = "survey.response"
TRANSCRIPT: Final = "support.transcript"
ANSWER_WORDS: Final = 4
SHORTEST_WORD: Final = 3
WORDS_PER_HIT: Final = 60
WORDS_PER_PRAISE: Final = 25

_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019\-][^\W_]+)*")
_BREAK: Final = re.compile(r"(?<=[.!?])[:\]]?\s+|\s*[\r\n]+\s*|(?<=\?):\s*")
_SPEAKER: Final = re.compile(r"^[\w.@\-\[\]|^`]{1,30}: +")
_QUESTION: Final = re.compile(r"^(?:.*[?.!][)\]\"]?|[^:]{1,120}): ")
_MASK: Final = re.compile(r"XX[X/\s]*")
_IDENTIFIER: Final = re.compile(
    r"\b(?:CVE-\d{4}-\d{4,7}|RUSTSEC-\d{4}-\d{4}|GHSA(?:-\w{4}){3})\b|`([\w\-]{2,40})`"
)


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """A sentence as it was said, its words, its `mood` (-3 complaint .. 3 praise) and its worth as a quote."""

    text: str
    words: frozenset[str]
    mood: int
    worth: float


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What one event says, equal by identity.

    `sentiment` is praise words minus complaint words, `terms` its content words and pairs of them.
    """

    event: EventView
    sentences: tuple[Sentence, ...]
    terms: frozenset[str]
    words: int
    sentiment: int
    theme: Theme | None
    identifiers: tuple[str, ...]

    @property
    def is_alert(self) -> bool:
        """Whether a system raised it: it has no sentiment."""
        return self.event.kind == ALERT

    @property
    def is_negative(self) -> bool:
        """Whether complaint words outweigh praise."""
        return not self.is_alert and self.sentiment < 0

    @property
    def is_praise(self) -> bool:
        """Whether praise outweighs complaint, and is more than a word in passing."""
        return not self.is_alert and self.sentiment > 0 and self.sentiment * WORDS_PER_PRAISE >= self.words


def words_in(text: str) -> list[str]:
    """The words of a text in lower case, apostrophes and hyphens inside words kept."""
    return _WORD.findall(text.lower().replace("\u2019", "'"))


def sentences_in(text: str) -> list[str]:
    """The sentences and lines of a text, each an exact substring of it, speaker names taken off."""
    parts = (_SPEAKER.sub("", part.strip()) for part in _BREAK.split(text))
    return [part for part in parts if _WORD.search(part)]


def sentiment_of(words: list[str]) -> int:
    """Praise words minus complaint words; a negator up to three words before turns either around."""
    if OPINION.isdisjoint(words):
        return 0
    score = 0
    for position, word in enumerate(words):
        if word in OPINION:
            turned = not NEGATORS.isdisjoint(words[max(0, position - 3) : position])
            score += 1 if (word in POSITIVE) is not turned else -1
    return score


def is_content(word: str) -> bool:
    """Whether a word (in lower case) says what something is about."""
    return len(word) >= SHORTEST_WORD and word not in STOP and not word.isdigit() and set(word) != {"x"}


def terms_of(words: list[str]) -> frozenset[str]:
    """Content words of three letters or more, and pairs of neighbours that both are; masks (XXXX) are none."""
    clean = [word if is_content(word) else "" for word in words]
    pairs = (f"{one} {two}" for one, two in pairwise(clean) if one and two and one != two)
    return frozenset([word for word in clean if word]) | frozenset(pairs)


def theme_of(words: list[str], topic: list[str]) -> Theme | None:
    """The theme most of the words speak for, the topic's words three times; None where too few do for any."""
    hits: Counter[Theme] = Counter()
    for source, weight in ((words, 1), (topic, 3)):
        for word, following in zip_longest(source, source[1:], fillvalue=""):
            for theme in THEME_WORDS.get(word, ()):
                hits[theme] += weight
            if word in PHRASE_STARTS:
                for theme in THEME_WORDS.get(f"{word} {following}", ()):
                    hits[theme] += 2 * weight
    best = max(hits, key=lambda theme: (hits[theme], theme.label), default=None)
    return best if best is not None and hits[best] * WORDS_PER_HIT >= len(words) else None


def identifiers_in(text: str) -> tuple[str, ...]:
    """CVE, RUSTSEC and GHSA numbers and names in backticks, in order of appearance, each once."""
    return tuple(dict.fromkeys(found.group(1) or found.group(0) for found in _IDENTIFIER.finditer(text)))


def _common_lines(spoken: list[list[str]]) -> frozenset[str]:
    """Lines that most of the conversations share, such as an agent's greeting."""
    if len(spoken) < 3:  # noqa: PLR2004 - two conversations sharing a line is a coincidence worth reading
        return frozenset()
    shares = Counter(line for lines in spoken for line in set(lines))
    return frozenset(line for line, count in shares.items() if count >= COMMON_SHARE * len(spoken))


def _spoken(event: EventView) -> tuple[list[str], list[str]]:
    """What may be quoted and what is read: they differ for surveys, whose questions are not the answers."""
    text = event.text[:READ_CHARACTERS]
    if event.kind != SURVEY:
        said = sentences_in(text)
        return said, said
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    answers = [_QUESTION.sub("", line) for line in lines]
    own = [said for answer in answers for said in sentences_in(answer)]
    return [said for said in own if len(said.split()) >= ANSWER_WORDS] or lines, own


def _read(event: EventView, quotable: list[str], own: list[str]) -> Reading:
    said = [words_in(line) for line in own]
    words = [word for line in said for word in line]
    return Reading(
        event=event,
        sentences=tuple(sentence_of(line) for line in quotable),
        terms=frozenset[str]().union(*map(terms_of, said)),
        words=len(words),
        sentiment=sentiment_of(words),
        theme=theme_of(words, words_in(event.topic)),
        identifiers=identifiers_in(event.text[:READ_CHARACTERS]),
    )


@lru_cache(maxsize=64)
def read_events(events: tuple[EventView, ...]) -> tuple[Reading, ...]:
    """One reading per event, in order; lines that most conversations share are read in none of them."""
    spoken = [_spoken(event) for event in events]
    talks = [own for event, (_, own) in zip(events, spoken, strict=True) if event.kind == TRANSCRIPT]
    common = _common_lines(talks)
    return tuple(
        _read(event, _but(quotable, common), _but(own, common))
        for event, (quotable, own) in zip(events, spoken, strict=True)
    )


def _but(lines: list[str], common: frozenset[str]) -> list[str]:
    """The lines without the common ones; all of them where nothing would be left."""
    return [line for line in lines if line not in common] or lines


def cut(text: str, longest: int = QUOTE_LONGEST) -> str:
    """The text's beginning of at most `longest` characters, ending at a word where there is one."""
    if len(text) <= longest:
        return text
    head = text[:longest]
    return (head.rsplit(maxsplit=1)[0] if " " in head else head).rstrip(" ,;:-")


def sentence_of(text: str) -> Sentence:
    """The sentence with its worth as a quote: length, opinion, request and figures count; masks cost."""
    listed = words_in(text)
    words = frozenset(listed)
    fits = QUOTE_SHORTEST <= len(text) <= QUOTE_LONGEST
    said = len(words & OPINION) + len(words & REQUESTS)
    figures = any(character.isdigit() for character in text)
    masked = 2 * len(_MASK.findall(text)) + 2 * text.endswith("?") + 3 * (len(listed) < ANSWER_WORDS)
    worth = 3.0 * fits + min(said, 3) + 0.5 * figures - 0.7 * masked
    return Sentence(text=text, words=words, mood=max(-3, min(3, sentiment_of(listed))), worth=worth)


def worth_of(sentence: Sentence, telling: frozenset[str]) -> float:
    """A sentence's worth as a quote where these words tell most; two of them are enough."""
    return sentence.worth + 1.5 * min(len(telling & sentence.words), 2)


def quote_of(reading: Reading, telling: frozenset[str]) -> str:
    """The event's best sentence, verbatim, at most 200 characters; its topic where it has no text.

    Of an event that praises, sentences that praise are better; of any other, those that complain.
    """
    side = 1 if reading.is_praise else -1
    best = max(reading.sentences, key=lambda said: worth_of(said, telling) + side * said.mood, default=None)
    return (cut(best.text) if best else "") or reading.event.topic or "(no text)"
