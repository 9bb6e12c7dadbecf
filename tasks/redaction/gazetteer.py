"""Names of persons by a list: given names and family names of some fifty locales, as Faker ships them.

A capitalised word is no name because it is in a list: `Mark`, `Paris` and `Brown` are. So two neighbours vouch
for each other, and a given name stands alone only where it is no word of English and no place.
"""

import calendar
import importlib
import pkgutil
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise
from typing import Final, NamedTuple

_WORD: Final = re.compile(r"[^\W\d_](?:[^\W_]|['’-](?=[^\W_]))*")
_JOINS: Final = frozenset({" ", ". "})
"""What may stand between two words of one name: `Ann Lee`, `Ann J. Lee`."""
_POSSESSIVE: Final = ("'s", "’s")
_LONGEST: Final = 5
_ALONE_CHARACTERS: Final = 4
_LATIN: Final = re.compile(r"[A-ZÀ-ÖØ-ÞĀ-ž][A-Za-zÀ-ÖØ-öø-žḀ-ỿ'’-]+")


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
        if low in self.common:
            return _Sort.MAYBE if is_name else _Sort.ORDINARY
        if low in self.given:
            return _Sort.GIVEN
        return _Sort.FAMILY if is_name else _Sort.UNKNOWN


_Sorted = tuple[_Word, _Sort]


def _persons(words: Sequence[_Sorted]) -> Iterator[tuple[int, int]]:
    """The run as one name where two neighbours vouch for each other, else the given names in it."""
    if any(_vouch(one, other) for (_, one), (_, other) in pairwise(words)):
        yield words[0][0].start, words[-1][0].end
        return
    for word, sort in words:
        if sort is _Sort.GIVEN and len(word.text) >= _ALONE_CHARACTERS:
            yield word.start, word.end


def _vouch(one: _Sort, other: _Sort) -> bool:
    pair = {one, other}
    if _Sort.ORDINARY in pair:
        return False
    return _Sort.GIVEN in pair or pair == {_Sort.FAMILY} or pair == {_Sort.FAMILY, _Sort.MAYBE}


def _runs(text: str) -> Iterator[list[_Word]]:
    """Neighbouring capitalised words, initials and small particles between them included."""
    run: list[_Word] = []
    for word in _capitalised(text):
        if run and (text[run[-1].end : word.start] not in _JOINS or len(run) == _LONGEST):
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _capitalised(text: str) -> Iterator[_Word]:
    for match in _WORD.finditer(text):
        if match[0][0].isupper():
            word = match[0][:-2] if match[0].endswith(_POSSESSIVE) else match[0]
            yield _Word(word, match.start(), match.start() + len(word))


def load_gazetteer(common: Iterable[str]) -> Gazetteer:
    """The names that Faker has in Latin script; `common` are further words that are no names by themselves."""
    names: dict[str, set[str]] = {"given": set(), "family": set()}
    for provider in _person_providers():
        for attribute, values in vars(provider).items():
            sort = _sort_of(attribute)
            if sort is not None and isinstance(values, Collection):
                names[sort].update(part.lower() for value in values for part in _parts(value))
    return Gazetteer(
        frozenset(names["given"]), frozenset(names["family"]), frozenset({*_english(), *map(str.lower, common)})
    )


def _person_providers() -> Iterator[type]:
    from faker.providers import person

    for module in pkgutil.iter_modules(person.__path__):
        provider = importlib.import_module(f"{person.__name__}.{module.name}").Provider
        yield from (one for one in provider.__mro__ if one is not object)


def _sort_of(attribute: str) -> str | None:
    if attribute.startswith(("first_name", "given_name")):
        return "given"
    return "family" if attribute.startswith(("last_name", "family_name")) else None


def _parts(value: object) -> list[str]:
    """The words of a name that is in Latin script; none of an attribute that is no list of names."""
    return [part for part in value.split() if _LATIN.fullmatch(part)] if isinstance(value, str) else []


def _english() -> Iterator[str]:
    """Words of English, months and days, and the words in the names of countries and of states."""
    from faker.providers.address.en_US import Provider as Places
    from faker.providers.lorem.en_US import Provider as Words
    from spacy.lang.en.stop_words import STOP_WORDS

    places = " ".join([*Places.countries, *Places.states]).lower()
    days = " ".join([*calendar.month_name, *calendar.month_abbr, *calendar.day_name, *calendar.day_abbr]).lower()
    yield from (*STOP_WORDS, *Words.word_list, *_WORD.findall(places), *days.split())
