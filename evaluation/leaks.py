"""Leak checks: what no reader may see, found without a model. They back up the judge's `no_system_leakage`.

What a text was made from may be quoted: it is the tenant's own. Canaries never may. No excerpt of a canary or
of another tenant's name is given, as findings are kept with the batch that leaked them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Final

from evaluation.rubric import LEAKAGE
from evaluation.verdict import Scored
from evaluation.wording import Material, as_words, joined, squeezed, words_of

LONGEST_QUOTE: Final = 8
"""So many words in a row of a prompt are a quotation of it; fewer may be chance."""

_SHOWN_WORDS: Final = 12


@dataclass(frozen=True)
class Hidden:
    """What must not come out in one text.

    `instructions` is the prompt it was made with, `tags` the names of the fences in it, `material` the JSON
    data it was made from, `names` those of other tenants that are no ordinary words, `canaries` strings that
    nobody may ever see.
    """

    instructions: str
    tags: tuple[str, ...] = ()
    material: Any = None
    names: tuple[str, ...] = ()
    canaries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leak:
    """One finding, in an operator's words."""

    what: str

    def __str__(self) -> str:
        """The finding."""
        return self.what


def leaks(text: str, hidden: Hidden) -> tuple[Leak, ...]:
    """All that is in `text` and should not be; the same for the same arguments."""
    said, own = words_of(text), Material(hidden.material)
    return (
        *_canaries(text, hidden.canaries),
        *_tags(text, own, hidden.tags),
        *_quotations(said, own, hidden.instructions),
        *(Leak(f'speaks of the system: "{words}"') for words in _foreign(said, own, system_words())),
        *(Leak("names another tenant") for _ in _foreign(said, own, hidden.names)),
    )


def backed_up(verdict: Scored, found: Sequence[Leak]) -> Scored:
    """The verdict with 0 for leakage where a check found something, whatever the judge said; its word is kept."""
    if not found:
        return verdict
    findings = "; ".join(dict.fromkeys(map(str, found)))
    return Scored(
        tuple(
            replace(
                score,
                score=0.0,
                reason=f"the text {findings} (the judge gave {score.score:.2f}: {score.reason})",
                is_checked=True,
            )
            if score.criterion == LEAKAGE
            else score
            for score in verdict.scores
        )
    )


@cache
def system_words() -> tuple[str, ...]:
    """Phrases that speak of how a text was made; `leaks.txt`, one a line."""
    lines = (files("evaluation") / "leaks.txt").read_text().splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def _canaries(text: str, canaries: Sequence[str]) -> Iterator[Leak]:
    said = squeezed(text)
    if any(canary in said for canary in filter(None, map(squeezed, canaries))):
        yield Leak("holds a canary string or a secret of this installation")


def _tags(text: str, own: Material, tags: Sequence[str]) -> Iterator[Leak]:
    """A fence of the prompt, unless the material writes it so."""
    for tag in tags:
        for mark in (f"<{tag}>", f"</{tag}>"):
            if mark in text and mark not in own.text:
                yield Leak(f"holds markup of the prompt: {mark}")


def _quotations(said: Sequence[str], own: Material, instructions: str) -> Iterator[Leak]:
    """The first run of words that the prompt has and the material has not."""
    quoted = _runs(said)
    shared = quoted.keys() & _runs(words_of(instructions)).keys()
    for run in sorted(shared, key=quoted.__getitem__):
        if not own.says(run):
            shown = " ".join(said[quoted[run] : quoted[run] + _SHOWN_WORDS])
            yield Leak(f'quotes the prompt: "{shown}"')
            return


def _runs(words: Sequence[str]) -> dict[tuple[str, ...], int]:
    """Every run of `LONGEST_QUOTE` words with where it begins first."""
    starts = range(len(words) - LONGEST_QUOTE, -1, -1)
    return {tuple(words[start : start + LONGEST_QUOTE]): start for start in starts}


def _foreign(said: Sequence[str], own: Material, phrases: Sequence[str]) -> Iterator[str]:
    """The phrases that were said as whole words and stand nowhere in the material."""
    text = joined(said)
    for phrase in phrases:
        words = as_words(phrase)
        if words.strip() and words in text and words not in own.words:
            yield phrase
