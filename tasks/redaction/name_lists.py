"""Lists of names: given and family names of some fifty locales, as Faker ships them. Imported when redaction is on."""

import calendar
import importlib
import pkgutil
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from faker.providers import person
from faker.providers.address.en_US import Provider as Places
from faker.providers.lorem.en_US import Provider as Words
from spacy.lang.en.stop_words import STOP_WORDS

from tasks.redaction.gazetteer import Gazetteer

_LATIN: Final = re.compile("[A-ZÀ-ÖØ-ÞĀ-ž][A-Za-zÀ-ÖØ-öø-žḀ-ỹ'\u2019-]+")


def load_gazetteer(common: Iterable[str]) -> Gazetteer:
    """The names that Faker has in Latin script; `common` are further words that are no names by themselves."""
    names: dict[str, set[str]] = {"given": set(), "family": set()}
    for provider in _person_providers():
        for attribute, values in vars(provider).items():
            sort = _sort_of(attribute)
            if sort is not None and isinstance(values, Collection):
                names[sort].update(part.lower() for value in values for part in _parts(value))
    return Gazetteer(
        frozenset(names["given"]),
        frozenset(names["family"]),
        frozenset({*_english(), *map(str.lower, common)}),
    )


def _person_providers() -> Iterator[type]:
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
    places = " ".join([*Places.countries, *Places.states]).lower()
    days = " ".join(
        [*calendar.month_name, *calendar.month_abbr, *calendar.day_name, *calendar.day_abbr]
    ).lower()
    yield from (*STOP_WORDS, *Words.word_list, *re.findall(r"\w+", places), *days.split())
