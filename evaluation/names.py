"""Distinctive names: those that nobody writes by chance, so that one in another's text is a finding."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from spellchecker import SpellChecker

_WORD: Final = re.compile(r"[^\W_]+")
_SHORTEST: Final = 4
_ORDINARY: Final = 500
"""How often the word list's corpus has a word that is ordinary: `hotel` 98,081 times, `acme` 130."""


def distinctive(names: Iterable[str]) -> tuple[str, ...]:
    """The names that are neither short nor one ordinary English word, in their order."""
    return tuple(name for name in names if _is_distinctive(name))


def _is_distinctive(name: str) -> bool:
    words = _WORD.findall(name.casefold())
    if sum(map(len, words)) < _SHORTEST:
        return False
    return len(words) > 1 or _word_list()[words[0]] < _ORDINARY


@cache
def _word_list() -> SpellChecker:
    return SpellChecker(language="en")
