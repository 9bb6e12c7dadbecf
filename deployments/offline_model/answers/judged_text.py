"""A judged output taken apart once: words, sentences, quotes, figures. The criteria in `judge` read this."""

import re
from dataclasses import dataclass
from typing import Final

from deployments.offline_model.lexicon import VERBS
from deployments.offline_model.reading import words_in
from deployments.offline_model.sections import Sections, words_of

FEWEST_WORDS: Final = 3
READ_CHARACTERS: Final = 40_000
_LINE_QUOTE: Final = re.compile(r"^> ?(.+?)(?: \(event \d+\))?$", re.MULTILINE)
_CURLY_QUOTE: Final = re.compile(r"“([^“”\n]+)”")
_STRAIGHT_QUOTE: Final = re.compile(r"\"([^\"\n]{20,260})\"")
_FIGURE: Final = re.compile(r"\b\d[\d.,:%/-]*")
_MARKER: Final = re.compile(r"^(?:[#>\s]+|[-*•]\s+|\d+[.)]\s+|\|.*\|$)+", re.MULTILINE)
_SENTENCE: Final = re.compile(r"(?<=[.!?:])[\"”*]*\s+|\n+")


@dataclass(frozen=True, slots=True)
class JudgedText:
    """An output as its reader sees it; `plain` is without markdown markers."""

    kind: str
    audience: str
    text: str
    plain: str
    lowered: str
    words: tuple[str, ...]
    sentences: tuple[str, ...]
    quotes: tuple[str, ...]
    figures: tuple[str, ...]

    @property
    def imperatives(self) -> tuple[str, ...]:
        """The sentences that begin with a verb of action."""
        starts = ((said, words_in(said[:40])[:1]) for said in self.sentences)
        return tuple(said for said, first in starts if first and first[0] in VERBS)

    @property
    def mean_length(self) -> float:
        """Words a sentence; 0 for none."""
        return len(self.words) / len(self.sentences) if self.sentences else 0.0


def _quotes(text: str) -> tuple[str, ...]:
    """Quoted lines, curly quotes, and straight quotes long enough to be somebody's words and not a term."""
    rest = _LINE_QUOTE.sub("", text)
    straight = [quote for quote in _STRAIGHT_QUOTE.findall(rest) if len(words_in(quote)) >= FEWEST_WORDS]
    found = [*_LINE_QUOTE.findall(text), *_CURLY_QUOTE.findall(rest), *straight]
    return tuple(quote.strip() for quote in found if quote.strip())


def judged_text(sections: Sections) -> JudgedText:
    """The `output` section taken apart; empty parts where it is missing."""
    output = sections.get("output")
    text = words_of(output.get("text"))[:READ_CHARACTERS]
    plain = _MARKER.sub("", text).replace("*", "")
    return JudgedText(
        kind=words_of(output.get("kind")),
        audience=words_of(output.get("audience")),
        text=text,
        plain=plain,
        lowered=plain.lower(),
        words=tuple(words_in(plain)),
        sentences=tuple(said.strip() for said in _SENTENCE.split(plain) if words_in(said)),
        quotes=_quotes(text),
        figures=tuple(_FIGURE.findall(plain)),
    )
