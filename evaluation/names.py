"""Distinctive names: those that nobody writes by chance, so that one in another's text is a finding."""

from collections.abc import Iterable
from functools import cache
from typing import Final

from spellchecker import SpellChecker

from evaluation.wording import words_of

_SHORTEST: Final = 4
_ORDINARY: Final = 500
"""How often the word list's corpus has a word that is ordinary: `hotel` 98,081 times, `acme` 130."""


def distinctive(names: Iterable[str]) -> tuple[str, ...]:
    """The names that are not short and have a word that is no ordinary English one, in their order.

    A tenant called `hotel`, `next-steps` or `2026` must not forbid these words to all others.
    """
    return tuple(name for name in names if _is_distinctive(name))


def _is_distinctive(name: str) -> bool:
    words = words_of(name)
    if sum(map(len, words)) < _SHORTEST:
        return False
    return any(not word.isdigit() and len(word) > 1 and _word_list()[word] < _ORDINARY for word in words)


@cache
def _word_list() -> SpellChecker:
    return SpellChecker(language="en")
