"""Words as they are compared: capitals, spacing, marks and invisible characters make no difference."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final

_WORD: Final = re.compile(r"[^\W_]+")


class Material:
    """What may be quoted. Most texts raise no suspicion, and it is many times their size: read when asked."""

    def __init__(self, value: Any) -> None:  # noqa: ANN401 - any JSON value
        self._value = value

    @cached_property
    def text(self) -> str:
        """Every text in it."""
        return "\n".join(texts_of(self._value))

    @cached_property
    def words(self) -> str:
        """Its words, spaces between and around them."""
        return joined(words_of(self.text))

    def says(self, words: Sequence[str]) -> bool:
        """Whether it has these words in a row."""
        return joined(words) in self.words


def joined(words: Sequence[str]) -> str:
    """Words with a space between and around them, so that one is found as a whole."""
    return f" {' '.join(words)} "


@lru_cache(maxsize=65_536)
def as_words(phrase: str) -> str:
    """A phrase as `joined` words; a space alone where it has none."""
    return joined(words_of(phrase))


def words_of(text: str) -> list[str]:
    """The words of a text, in one spelling."""
    return _WORD.findall(plain(text))


def squeezed(text: str) -> str:
    """Its letters and digits alone: line breaks, emphasis and blanks between them hide nothing."""
    return "".join(words_of(text))


def plain(text: str) -> str:
    """One spelling for all: full-width letters, ligatures, capitals and invisible characters make no difference."""
    if text.isascii():
        return text.casefold()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if unicodedata.category(character) != "Cf")


def texts_of(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Every text in a JSON value, names of members too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from texts_of(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from texts_of(member)
