"""Names of persons in a text, by lists of given and family names; `name_lists` has the lists.

A capitalised word is no name because it is in a list: `Mark`, `Paris` and `Brown` are. So two neighbours vouch
for each other, and a given name stands alone only where it is no word of English and no place.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise
from typing import Final, NamedTuple

_WORD: Final = re.compile(r"[^\W\d_](?:[^\W_]|['\u2019-](?=[^\W_]))*")
_CONTRACTED: Final = ("i'", "i\u2019")
_ABBREVIATED: Final = 2
"""A word this short, and no longer one, may end in a dot within a name: `Ann J. Lee`."""
_POSSESSIVE: Final = ("'s", "\u2019s")
_LONGEST: Final = 5
_ALONE_CHARACTERS: Final = 4


class _Word(NamedTuple):
    """A capitalised word of a text, and where it stands."""

    text: str
    start: int
    end: int


class _Sort(Enum):
    """What the lists say of a word."""

    GIVEN = auto()
    FAMILY = auto()
    MAYBE = auto()  # a name, and a word of English or a place as well
    ORDINARY = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Gazetteer:
    """Given and family names, in lower case; `common` are words of English and places."""

    given: frozenset[str]
    family: frozenset[str]
    common: frozenset[str]

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where names of persons stand in a text: start and end of each."""
        for run in _runs(text):
            words = [(word, self._sort(word.text)) for word in run]
            while words and words[0][1] is _Sort.ORDINARY:
                del words[0]
            while words and words[-1][1] is _Sort.ORDINARY:
                del words[-1]
            yield from _persons(words)

    def _sort(self, word: str) -> _Sort:
        low = word.lower()
        is_name = low in self.given or low in self.family
        if low in self.common or low.startswith(_CONTRACTED):
            return _Sort.MAYBE if is_name else _Sort.ORDINARY
        if low in self.given:
            return _Sort.GIVEN
        return _Sort.FAMILY if is_name else _Sort.UNKNOWN


_Sorted = tuple[_Word, _Sort]


def _persons(words: Sequence[_Sorted]) -> Iterator[tuple[int, int]]:
    """The run as one name where two neighbours vouch for each other, else the given names in it."""
    if any(_vouch(one, other) for one, other in pairwise(words)):
        yield words[0][0].start, words[-1][0].end
        return
    for word, sort in words:
        if sort is _Sort.GIVEN and len(word.text) >= _ALONE_CHARACTERS and not word.text.isupper():
            yield word.start, word.end


def _vouch(one: _Sorted, other: _Sorted) -> bool:
    pair = {one[1], other[1]}
    if _Sort.ORDINARY in pair:
        return False
    if one[0].text.isupper() and other[0].text.isupper():
        # Where all is in capitals, capitals say nothing.
        return pair in ({_Sort.GIVEN}, {_Sort.GIVEN, _Sort.FAMILY})
    return _Sort.GIVEN in pair or pair in ({_Sort.FAMILY}, {_Sort.FAMILY, _Sort.MAYBE})


def _runs(text: str) -> Iterator[list[_Word]]:
    """Neighbouring capitalised words, initials and small particles between them included."""
    run: list[_Word] = []
    for word in _capitalised(text):
        if run and (len(run) == _LONGEST or not _joined(text, run[-1], word)):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _joined(text: str, one: _Word, other: _Word) -> bool:
    between = text[one.end : other.start]
    return between == " " or (between == ". " and len(one.text) <= _ABBREVIATED)


def _capitalised(text: str) -> Iterator[_Word]:
    for match in _WORD.finditer(text):
        if match[0][0].isupper():
            word = match[0][:-2] if match[0].endswith(_POSSESSIVE) else match[0]
            yield _Word(word, match.start(), match.start() + len(word))
